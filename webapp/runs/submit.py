"""Take a request: check it, write it down, and only then hand it to the workers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from webapp.checkpoints.models import Checkpoint
from webapp.fleet.living import most_memory_bytes
from webapp.runs.handing_out import hand_out
from webapp.runs.models import Run
from workers.protocol import pictures
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE


class InvalidRequestError(ValueError):
    """The request cannot be done as it is. `limit` is the number that it passed, if there is one."""

    def __init__(self, code: str, message: str, field: str, limit: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.limit = code, message, field, limit


def submit_trace(
    checkpoint: Checkpoint,
    *,
    text: str | None = None,
    ids: list[int] | None = None,
    target: str | None = None,
    target_ids: list[int] | None = None,
    text_pair: str | None = None,
    picture: str | None = None,
    **more: Any,
) -> Run:
    """A queued run, committed before any worker hears of it; `more` are fields of its row that were checked before.

    Raises: InvalidRequestError, whose message says what is allowed.
    """
    if picture is not None or checkpoint.sees:
        others = (text, ids, target, target_ids, text_pair)
        _check_picture(picture, checkpoint, alone=all(given is None for given in others))
    elif (text is None) == (ids is None):
        raise InvalidRequestError("text_or_ids", 'Give either "text" or "ids", and not both.', "text")
    if target is not None and target_ids is not None:
        raise InvalidRequestError("target_or_ids", 'Give either "target" or "target_ids", and not both.', "target")
    if not checkpoint.encodes and (target is not None or target_ids is not None):
        raise InvalidRequestError(
            "no_target",
            f"{checkpoint.name} has no encoder, so it takes no target. Leave the target out.",
            "target",
        )
    if text_pair is not None and (text is None or not checkpoint.takes_pairs):
        raise InvalidRequestError(
            "no_pair",
            f"A second text goes with a first one, to an encoder that takes pairs; {checkpoint.name} takes none.",
            "text_pair",
        )
    for field, words in (("text", text), ("target", target), ("text_pair", text_pair)):
        if words is not None:
            _check_text(field, words, checkpoint)
    for field, numbers in (("ids", ids), ("target_ids", target_ids)):
        if numbers is not None:
            _check_ids(field, numbers, checkpoint)
    _check_memory(checkpoint)
    run = Run.objects.create(
        checkpoint=checkpoint,
        text=text,
        ids=ids,
        target=target,
        target_ids=target_ids,
        text_pair=text_pair,
        picture=picture,
        **more,
    )
    Checkpoint.objects.filter(pk=checkpoint.pk).update(last_used_at=timezone.now())
    transaction.on_commit(lambda: send(run))
    return run


def send(run: Run) -> None:
    """Hand a queued run to the workers when its turn comes: at once, if few wait."""
    hand_out(TRAIN_QUEUE if run.plan is not None else QUEUE)


def feature(model: str) -> Run | None:
    """The run that the first page opens on: the featured model reading its first example. Made once a text."""
    checkpoint = Checkpoint.objects.filter(pk=model).first() or Checkpoint.objects.first()
    if checkpoint is None or not checkpoint.examples:
        return None
    first = checkpoint.examples[0]
    wanted = {
        "checkpoint": checkpoint,
        "text": first.get("text"),
        "target": first.get("target") or None,
        "picture": first.get("picture"),
    }
    good = Run.objects.filter(**wanted, featured=True).exclude(state__in=[Run.State.FAILED, Run.State.CANCELLED])
    Run.objects.filter(featured=True).exclude(pk__in=good).update(featured=False)
    # Not sent from here: the recorder sends what waits, once there is a broker.
    return good.first() or Run.objects.create(**wanted, featured=True)


def _check_picture(picture: str | None, checkpoint: Checkpoint, alone: bool) -> None:
    if not checkpoint.sees:
        raise InvalidRequestError(
            "no_image", f"{checkpoint.name} reads text, not pictures. Give a text, or choose a vision model.", "picture"
        )
    if picture is None or not alone:
        raise InvalidRequestError(
            "image_needed",
            f'{checkpoint.name} reads pictures: give the id of one as "picture", and nothing else.',
            "picture",
        )
    if not pictures.place(settings.DATA, picture).is_file():
        raise InvalidRequestError(
            "unknown_picture", "There is no picture with this id. Send it to POST /api/v1/pictures first.", "picture"
        )


def _check_memory(checkpoint: Checkpoint) -> None:
    """Refuses what no living worker could ever hold; where nobody lives, it may wait for one that can."""
    needed, most = int(checkpoint.manifest.get("size_bytes", 0)), most_memory_bytes()
    if most is not None and needed > most:
        raise InvalidRequestError(
            "model_too_large",
            f"{checkpoint.name} needs {needed / 1e9:,.1f} GB of memory; the largest worker has {most / 1e9:,.1f} GB. "
            "Choose a smaller model, or start a worker on a larger machine.",
            "model",
            most,
        )


def _check_text(field: str, text: str, checkpoint: Checkpoint) -> None:
    if not text.strip():
        raise InvalidRequestError("empty_text", f"The {field} is empty. Type at least one word.", field)
    if "\0" in text:
        where = text.index("\0") + 1
        raise InvalidRequestError(
            "nul_character", f"Character {where:,} of the {field} is a NUL character. Remove it.", field
        )
    surrogate = next((i for i, c in enumerate(text) if "\ud800" <= c <= "\udfff"), None)
    if surrogate is not None:
        raise InvalidRequestError(
            "lone_surrogate",
            f"Character {surrogate + 1:,} of the {field} is half of a surrogate pair, which is no text. Remove it.",
            field,
        )
    longest = checkpoint.longest_text
    if longest is not None and len(text) > longest:
        raise InvalidRequestError(
            "text_too_long",
            f"The {field} has {len(text):,} characters; {checkpoint.name} reads at most "
            f"{checkpoint.manifest['longest']:,} tokens, never more than {longest:,} characters. Shorten it.",
            field,
            longest,
        )
    if len(text) > settings.TEXT_LIMIT_CHARACTERS:
        raise InvalidRequestError(
            "text_too_long",
            f"The {field} has {len(text):,} characters; at most {settings.TEXT_LIMIT_CHARACTERS:,} fit. Shorten it.",
            field,
            settings.TEXT_LIMIT_CHARACTERS,
        )


def _check_ids(field: str, ids: list[int], checkpoint: Checkpoint) -> None:
    vocabulary, longest = checkpoint.manifest["vocabulary"], checkpoint.manifest["longest"]
    if not ids:
        raise InvalidRequestError("empty_text", f"{field} is an empty list. Give at least one token id.", field)
    if len(ids) > longest:
        raise InvalidRequestError(
            "text_too_long",
            f"{field} has {len(ids):,} tokens; {checkpoint.name} reads at most {longest:,}. Shorten it.",
            field,
            longest,
        )
    wrong = next((index for index, id_ in enumerate(ids) if not 0 <= id_ < vocabulary), None)
    if wrong is not None:
        raise InvalidRequestError(
            "id_out_of_range",
            f"{field}[{wrong}] is no token id of {checkpoint.name}; they go from 0 to {vocabulary - 1:,}.",
            field,
            vocabulary - 1,
        )
