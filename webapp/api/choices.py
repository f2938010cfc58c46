"""How a run that writes chooses its tokens: what may be asked for, refused in the words of `modelcore.generation`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NoReturn

from ninja import Schema
from pydantic import ConfigDict, Field

from webapp.accounts.models import Person
from webapp.accounts.ownership import may_see
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from webapp.runs.submit import InvalidRequestError

if TYPE_CHECKING:
    from webapp.api.schemas import RunRequest

MOST_TOKENS = 2048
MOST_BEAMS = 16
MOST_STOP_STRINGS = 8
LONGEST_STOP_STRING = 200
LARGEST_SEED = 2**63 - 1
DRAWING = ("temperature", "top_k", "top_p", "min_p", "seed")


class ChoicesRequest(Schema):
    """Greedy unless something of drawing is given: a temperature, top_k, top_p or min_p. The same seed draws the same.

    With `beams` so many texts are followed side by side, and nothing of drawing is given.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    max_tokens: int = 64
    temperature: float | None = Field(default=None, description="0 is greedy, 1 draws as the model has it.")
    top_k: int | None = Field(default=None, description="Draw among the k likeliest.")
    top_p: float | None = Field(default=None, description="Draw among the likeliest that sum to p.")
    min_p: float | None = Field(default=None, description="Draw among those at least p times as likely as the best.")
    repetition_penalty: float = Field(default=1.0, description="Above 1: what stands in the text becomes less likely.")
    seed: int | None = None
    stop_strings: list[str] = Field(default_factory=list, description="The text ends where one of these would begin.")
    beams: int | None = None
    length_penalty: float | None = Field(
        default=None,
        description="Of beams: a score is divided by ((5 + length) / 6) ^ length_penalty; 0.6 where left out.",
    )


def writing_fields(payload: RunRequest, checkpoint: Checkpoint, person: Person | None) -> dict[str, Any]:
    """What the row of a run that writes has besides the others'.

    Raises: InvalidRequestError, whose message says what is allowed.
    """
    if payload.kind != "generate":
        for name in ("generate", "parent", "branched_at"):
            if getattr(payload, name) is not None:
                raise InvalidRequestError("not_writing", f'"{name}" goes with "kind": "generate".', name)
        return {}
    manifest = checkpoint.manifest
    if manifest["architecture"] not in ("decoder", "encoder-decoder") or manifest["output"] != "vocabulary":
        raise InvalidRequestError(
            "writes_nothing",
            f"{checkpoint.name} reads only and writes nothing; choose a model with a decoder.",
            "model",
        )
    choices = payload.generate or ChoicesRequest()
    _check(choices)
    return {
        "kind": "generate",
        "choices": choices.dict(),
        "parent": _find_parent(payload, checkpoint, person),
        "branched_at": payload.branched_at,
    }


def _find_parent(payload: RunRequest, checkpoint: Checkpoint, person: Person | None) -> Run | None:
    if (payload.parent is None) != (payload.branched_at is None):
        raise InvalidRequestError("half_a_branch", 'A branch names both "parent" and "branched_at".', "parent")
    if payload.parent is None:
        return None
    parent = Run.objects.filter(pk=payload.parent, kind="generate", checkpoint=checkpoint).first()
    if parent is None or not may_see(person, parent):
        raise InvalidRequestError(
            "unknown_parent", f"There is no run of {checkpoint.name} that writes with this id to branch off.", "parent"
        )
    prompt = payload.target_ids if checkpoint.encodes else payload.ids
    if prompt is None or payload.branched_at != len(prompt) - 1:
        name = "target_ids" if checkpoint.encodes else "ids"
        raise InvalidRequestError(
            "bad_branch",
            f'A branch gives "{name}", its parent\'s tokens up to "branched_at" and one of its own there.',
            "branched_at",
        )
    return parent


def _check(asked: ChoicesRequest) -> None:
    """The rules of `modelcore.generation`, and how much one run may ask for."""
    if not 1 <= asked.max_tokens <= MOST_TOKENS:
        _refuse("max_tokens", f"max_tokens is {asked.max_tokens:,}; it goes from 1 to {MOST_TOKENS:,}.", MOST_TOKENS)
    if asked.temperature is not None and not 0 <= asked.temperature < math.inf:
        _refuse(
            "temperature",
            f"temperature is {asked.temperature}; give 0 for the likeliest token each time, 1 to draw as is.",
        )
    if not 0 < asked.repetition_penalty < math.inf:
        _refuse(
            "repetition_penalty",
            f"repetition_penalty is {asked.repetition_penalty}; it must be above 0, and 1 changes nothing.",
        )
    if asked.top_k is not None and asked.top_k < 1:
        _refuse("top_k", f"top_k is {asked.top_k}; it must be 1 or more, or left out to choose among all tokens.")
    for name in ("top_p", "min_p"):
        share = getattr(asked, name)
        if share is not None and not 0 < share <= 1:
            _refuse(name, f"{name} is {share}; it is a probability above 0, and no more than 1.")
    if asked.temperature == 0 and (asked.top_k, asked.top_p, asked.min_p) != (None, None, None):
        _refuse(
            "temperature",
            "temperature 0 takes the likeliest token; top_k, top_p and min_p need another one, such as 1.",
        )
    if asked.seed is not None and not 0 <= asked.seed <= LARGEST_SEED:
        _refuse("seed", f"seed is {asked.seed}; it goes from 0 to {LARGEST_SEED}.", LARGEST_SEED)
    _check_stop_strings(asked.stop_strings)
    _check_beams(asked)


def _check_stop_strings(given: list[str]) -> None:
    if "" in given:
        _refuse("stop_strings", "A stop string is empty; it would end every text before it begins. Leave it out.")
    if len(given) > MOST_STOP_STRINGS or any(len(text) > LONGEST_STOP_STRING for text in given):
        _refuse(
            "stop_strings",
            f"Give at most {MOST_STOP_STRINGS} stop strings of at most {LONGEST_STOP_STRING} characters each.",
            MOST_STOP_STRINGS,
        )


def _check_beams(asked: ChoicesRequest) -> None:
    if asked.beams is None:
        if asked.length_penalty is not None:
            _refuse("length_penalty", "length_penalty is for a beam search; give beams with it.")
        return
    if not 1 <= asked.beams <= MOST_BEAMS:
        _refuse("beams", f"beams is {asked.beams}; it goes from 1 to {MOST_BEAMS}.", MOST_BEAMS)
    if asked.length_penalty is not None and not math.isfinite(asked.length_penalty):
        _refuse("length_penalty", f"length_penalty is {asked.length_penalty}; 0 compares texts as they are.")
    for name in DRAWING:
        if getattr(asked, name) is not None:
            _refuse(name, f"{name} does not go together with beams.")
    if asked.repetition_penalty != 1 or asked.stop_strings:
        name = "stop_strings" if asked.stop_strings else "repetition_penalty"
        _refuse(name, f"{name} does not go together with beams.")


def _refuse(name: str, message: str, limit: int | None = None) -> NoReturn:
    raise InvalidRequestError("bad_sampling", message, f"generate.{name}", limit)
