"""The tuned lens of a model: whether there is one, and its training."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from webapp import dispatch, tuning
from webapp.accounts.ownership import may_change, person_of
from webapp.api.asking import REFUSALS, find_run
from webapp.api.checkpoints import unknown_model
from webapp.api.errors import ApiError
from webapp.api.lens import has_lens
from webapp.api.lens_schemas import LensStateAnswer, TrainingRequest
from webapp.checkpoints.access import find_usable
from webapp.checkpoints.models import Checkpoint
from webapp.runs import replay
from webapp.runs.writing import trace_of
from workers.protocol.lenses import LEAST_TOKENS

router = Router(tags=["lens"])


@router.get(
    "/models/{model_id}/lens",
    response={200: LensStateAnswer, **REFUSALS},
    summary="The tuned lens of a model, and its training",
)
def read_state(request: HttpRequest, model_id: str) -> dict[str, Any]:
    return _state(_find(request, model_id))


@router.post(
    "/models/{model_id}/lens",
    response={202: LensStateAnswer, **REFUSALS},
    summary="Train the tuned lens of a model, in the background",
)
def train(request: HttpRequest, model_id: str, payload: TrainingRequest) -> Status[dict[str, Any]]:
    """The text is one of its own, or what a finished run has read or written. Most of its tokens teach, some choose
    when a layer has learned enough, and the last tell how well the lens does on what it has not seen.

    Source: Belrose et al. 2023, arXiv 2303.08112.
    """
    checkpoint = _find(request, model_id)
    _require_own(request, checkpoint)
    if checkpoint.is_missing:
        raise ApiError(
            409, "model_missing", f"The files of {checkpoint.name} are gone. Put them back, or add them again."
        )
    manifest = checkpoint.manifest
    reads_one_text = manifest["architecture"] in ("decoder", "encoder")
    if not has_lens(checkpoint) or not reads_one_text or "run_by" in manifest:
        raise ApiError(
            409, "not_tunable", "A tuned lens is trained for native models that read one text and score tokens."
        )
    text, ids = _lesson(request, payload, checkpoint)
    try:
        began = tuning.begin(checkpoint.source, text=text, ids=ids)
    except dispatch.WorkersAwayError:
        raise ApiError(503, "workers_away", "The queue cannot be reached. Try again in a moment.") from None
    if not began:
        raise ApiError(
            409, "already_training", "A tuned lens of this model is being trained; stop that training first."
        )
    return Status(202, _state(checkpoint))


@router.post(
    "/models/{model_id}/lens/cancel",
    response={200: LensStateAnswer, **REFUSALS},
    summary="Stop the training of a tuned lens",
)
def cancel(request: HttpRequest, model_id: str) -> dict[str, Any]:
    """A lens that was trained before stays."""
    checkpoint = _find(request, model_id)
    _require_own(request, checkpoint)
    try:
        stopped = tuning.stop(checkpoint.id)
    except dispatch.WorkersAwayError:
        raise ApiError(503, "workers_away", "The queue cannot be reached. Try again in a moment.") from None
    if not stopped:
        raise ApiError(409, "not_training", "No tuned lens of this model is being trained.")
    return _state(checkpoint)


def _lesson(
    request: HttpRequest, payload: TrainingRequest, checkpoint: Checkpoint
) -> tuple[str | None, list[int] | None]:
    """The text or the ids to learn from. Raises: ApiError where there are none, too many, or too few."""
    if (payload.text is None) == (payload.run is None):
        raise ApiError(422, "text_or_run", "Give either a text, or a run whose text is to be taken.", field="text")
    if payload.run is None:
        text = payload.text or ""
        if len(text) > settings.TEXT_LIMIT_CHARACTERS:
            raise ApiError(
                413,
                "text_too_long",
                f"The text has {len(text):,} characters; {settings.TEXT_LIMIT_CHARACTERS:,} are read.",
                field="text",
                limit=settings.TEXT_LIMIT_CHARACTERS,
            )
        if not text.strip():
            raise _too_short(0, "text")
        return text, None
    run = find_run(request, payload.run)
    told = replay.replay(run.id)
    if run.checkpoint_id != checkpoint.id:
        raise ApiError(422, "other_model", "This run was read by another model.", field="run")
    if len(told.tokens) < LEAST_TOKENS:
        raise _too_short(len(told.tokens), "run")
    trace = trace_of(run, told)
    return trace.text, trace.ids


def _too_short(tokens: int, field: str) -> ApiError:
    return ApiError(
        422,
        "text_too_short",
        f"This text has {tokens:,} tokens; a tuned lens needs {LEAST_TOKENS} to learn from. Give a longer one.",
        field=field,
        limit=LEAST_TOKENS,
    )


def _find(request: HttpRequest, model_id: str) -> Checkpoint:
    checkpoint = find_usable(model_id, person_of(request))
    if checkpoint is None:
        raise unknown_model()
    return checkpoint


def _require_own(request: HttpRequest, checkpoint: Checkpoint) -> None:
    if not may_change(person_of(request), checkpoint):
        raise ApiError(403, "not_yours", "This model is somebody else's: it can be used, not changed.", field="id")


def _state(checkpoint: Checkpoint) -> dict[str, Any]:
    found = tuning.state(checkpoint.id)
    told = found.told
    return {
        "state": told["state"],
        "done": told.get("done", 0),
        "total": told.get("total", 0),
        "error": {name: told[name] for name in ("code", "message")} if told["state"] == "failed" else None,
        "tuned": found.about,
        "least_tokens": LEAST_TOKENS,
    }
