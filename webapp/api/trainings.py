"""Trainings over HTTP: start one, see how far it is, steer it. Its curve and its heads come over its socket."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from webapp import dispatch, stream
from webapp.accounts.ownership import person_of, seen_by
from webapp.accounts.visitors import visitor_of
from webapp.api.asking import REFUSALS, find_own_run, find_run
from webapp.api.errors import ApiError
from webapp.api.plan_checks import checked_plan
from webapp.people.limits import allow
from webapp.runs.going_on import go_on, kept_checkpoint
from webapp.runs.models import Run
from webapp.runs.planning import refuse_misfit
from webapp.runs.queue import place_of
from webapp.runs.submit import send
from workers.protocol.jobs import TRAIN_QUEUE

router = Router(tags=["trainings"])

LONGEST_TEXT = 2_000_000
LISTED = 100
Action = Literal["pause", "go_on", "checkpoint", "learning_rate", "sample"]


class PlanRequest(Schema):
    """What is learned, by which model, how, and how often it is looked at; `modelcore.training.plan` says it all.

    dates, numbers, spans, pairs, catalogs and words are learned by an encoder–decoder, masked by an encoder, digits and
    images by a vision Transformer, the others by a decoder. `text`, `masked`, `spans` and `pairs` (a source, a tab and
    its target a line) learn a text of yours, `images` a zip of yours that POST /api/v1/archives stored.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    assignment: Literal[
        "copy",
        "reverse",
        "sort",
        "induction",
        "brackets",
        "repeats",
        "modular",
        "dates",
        "numbers",
        "text",
        "masked",
        "spans",
        "pairs",
        "catalogs",
        "words",
        "digits",
        "images",
    ]
    text: str | None = Field(default=None, max_length=LONGEST_TEXT)
    pictures: str | None = Field(default=None, description="The id of a stored zip with a folder for each label.")
    languages: Literal["de-en", "en-de", "fr-en", "en-fr"] = "de-en"
    start: str | None = Field(
        default=None,
        max_length=80,
        description="Fine-tune this model of the library; layers, heads, width and vocabulary are then its own.",
    )
    layers: int = Field(2, ge=1, le=24)
    heads: int = Field(4, ge=1, le=32)
    width: int = Field(64, ge=16, le=1024)
    leaning: bool = Field(False, description="A decoder starts with heads that lean to the tokens before.")
    key_width: int | None = Field(None, ge=1, le=256, description="Of each head; null: heads share the width.")
    positions: Literal["none", "learned", "sinusoidal", "relative_keys", "t5", "alibi", "rotary"] | None = Field(
        None, description="null: what the task's own model has, as with norm_order."
    )
    norm_order: Literal["pre", "post", "sandwich", "output"] | None = None
    score: Literal["scaled_dot", "dot", "multiplicative", "additive"] = "scaled_dot"
    dropout: float = Field(0.0, ge=0, le=0.9)
    label_smoothing: float = Field(0.0, ge=0, le=0.9)
    steps: int = Field(1000, ge=1, le=1_000_000)
    batch: int = Field(32, ge=1, le=1024, description="Sequences in one step.")
    batch_tokens: int = Field(
        0, ge=0, le=100_000, description="Of pairs: as many in a batch as have so many tokens; 0: `batch` of them."
    )
    accumulate: int = Field(1, ge=1, le=64, description="Batches in one step.")
    length: int = Field(32, ge=8, le=1024, description="Tokens of a sequence, of a line, of a window.")
    learning_rate: float = Field(2e-3, ge=1e-7, le=10, description="At its peak; of noam the factor.")
    schedule: Literal["cosine", "noam", "linear", "constant"] = "cosine"
    warmup: int = Field(100, ge=1, le=100_000)
    weight_decay: float = Field(0.01, ge=0, le=1)
    beta1: float = Field(0.9, ge=0, le=0.9999, description="Of AdamW; without weight decay it is Adam.")
    beta2: float = Field(0.98, ge=0, le=0.99999)
    clip: float = Field(1.0, ge=0, le=1000, description="Longer gradients are shortened to it; 0: none is.")
    average: int = Field(1, ge=1, le=20, description="How many checkpoints the model is the mean of in the end.")
    tokenizer: Literal["bytes", "characters", "bpe", "wordpiece", "unigram"] = Field(
        "bpe", description="How a text is cut; tasks that make their own examples have their own."
    )
    tokenizer_from: str | None = Field(
        default=None, max_length=80, description="The model of the library whose tokenizer is taken."
    )
    vocabulary: int = Field(512, ge=257, le=50_000, description="Of the tokenizer that is trained first; at most.")
    known_share: float = Field(0.5, ge=0.1, le=0.9, description="Of modular's table; the rest is held out.")
    precision: Literal["float32", "bf16", "fp16"] = Field(
        "float32",
        description="What matrix products are rounded to; refused where the worker's device has no such ones.",
    )
    recompute: bool = Field(False, description="Activations are computed again for gradients: less memory, more time.")
    compile: bool = Field(False, description="Compile feed-forward layers first; the worker needs a C++ compiler.")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    evaluate_every: int = Field(100, ge=1, le=1_000_000)
    snapshot_every: int = Field(50, ge=1, le=1_000_000)
    checkpoint_every: int = Field(200, ge=1, le=1_000_000)


class OrderRequest(Schema):
    """`factor` multiplies the planned learning rate from the next step on, and is given with learning_rate alone."""

    model_config = ConfigDict(extra="forbid", strict=True)

    action: Action
    factor: float | None = Field(default=None, gt=0, le=1000)


class GoOnRequest(Schema):
    """`rate_factor` multiplies the planned learning rate from there on; without it the rate is as it was."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rate_factor: float | None = Field(default=None, gt=0, le=1000)


class TrainingAnswer(Schema):
    """A training; `model` is the library's id of what it made, once it is finished."""

    id: str
    state: Literal["queued", "running", "finished", "failed", "cancelled"]
    plan: dict[str, Any]
    model: str | None
    error: dict[str, str] | None
    place: int | None = Field(description="How many queued trainings come before it; null where it does not wait.")
    trainers: int = Field(description="How many workers that train live now.")
    can_go_on: bool = Field(description="Whether it ended early and a checkpoint is kept: POST …/go_on.")
    goes_on_from: str | None = Field(description="The training whose last checkpoint it began with.")
    row: str | None = Field(description="The name of its row, where it is one of a sweep's.")
    created_at: datetime
    socket: str
    page: str


class TextAnswer(Schema):
    """The text that a training learns."""

    text: str


class TrainingsAnswer(Schema):
    trainings: list[TrainingAnswer]


class PresetsAnswer(Schema):
    """For each task a plan to start from; a text of yours is still to be given."""

    presets: list[PlanRequest]


@router.post("/trainings", response={201: TrainingAnswer, **REFUSALS}, summary="Train a model")
def start(request: HttpRequest, payload: PlanRequest) -> Status[dict[str, Any]]:
    plan = checked_plan(payload.model_dump(), person_of(request))
    refuse_misfit(plan)
    allow(request, trains=True)
    run = Run.objects.create(kind="train", plan=plan, owner=person_of(request), visitor=visitor_of(request))
    transaction.on_commit(lambda: send(run))
    return Status(201, _answer(run))


@router.get("/trainings", response={200: TrainingsAnswer, **REFUSALS}, summary="The newest trainings")
def listed(request: HttpRequest) -> dict[str, Any]:
    runs = Run.objects.filter(seen_by(person_of(request)), plan__isnull=False)[:LISTED]
    trainers = len(stream.living(TRAIN_QUEUE))
    return {"trainings": [_answer(run, trainers) for run in runs]}


@router.get(
    "/trainings/presets", response={200: PresetsAnswer, **REFUSALS}, summary="A plan to start from for each task"
)
def presets(request: HttpRequest) -> dict[str, Any]:
    told = json.loads(settings.PLAN_PRESETS.read_text(encoding="utf-8"))
    return {"presets": [{"assignment": assignment, **plan} for assignment, plan in told.items()]}


@router.get("/trainings/{run_id}", response={200: TrainingAnswer, **REFUSALS}, summary="How far a training is")
def read(request: HttpRequest, run_id: str) -> dict[str, Any]:
    return _answer(_find(request, run_id))


@router.get("/trainings/{run_id}/text", response={200: TextAnswer, **REFUSALS}, summary="The text that is learned")
def read_text(request: HttpRequest, run_id: str) -> dict[str, str]:
    """Apart from the plan, as it may be long."""
    text = (_find(request, run_id).plan or {}).get("text")
    if text is None:
        raise ApiError(404, "no_text", "This training makes its own examples. Only those of a text of yours have one.")
    return {"text": text}


@router.post(
    "/trainings/{run_id}/orders",
    response={202: TrainingAnswer, **REFUSALS},
    summary="Pause a training, let it go on, save a checkpoint, write a sample, change its learning rate",
)
def steer(request: HttpRequest, run_id: str, payload: OrderRequest) -> Status[dict[str, Any]]:
    """Done before its next step; the socket tells when. To end it: POST /api/v1/runs/{id}/cancel."""
    run = _find(request, run_id)
    find_own_run(request, run_id)
    if run.state in Run.ENDED:
        raise ApiError(409, "already_ended", "This training has ended; its model stays as it is.")
    if (payload.action == "learning_rate") != (payload.factor is not None):
        raise ApiError(
            422, "bad_field", "factor goes with the action learning_rate, and with no other.", field="factor"
        )
    dispatch.order(run.id, payload.model_dump(exclude_none=True))
    return Status(202, _answer(run))


@router.post(
    "/trainings/{run_id}/go_on",
    response={201: TrainingAnswer, **REFUSALS},
    summary="Go on with a training that failed or was cancelled, from its last checkpoint",
)
def go_on_with(request: HttpRequest, run_id: str, payload: GoOnRequest) -> Status[dict[str, Any]]:
    """As a training of its own, whose curve begins where the checkpoint was saved."""
    run = _find(request, run_id)
    find_own_run(request, run_id)
    if run.state not in Run.ENDED:
        raise ApiError(409, "not_ended", "This training has not ended. An order go_on ends its pause.")
    checkpoint = kept_checkpoint(run)
    if checkpoint is None:
        raise ApiError(
            409,
            "nothing_kept",
            "Nothing is kept of this training to go on from: it is done, had saved no checkpoint, or ended more than a "
            "week ago. POST its plan to /api/v1/trainings to begin it again.",
        )
    allow(request, trains=True)
    return Status(201, _answer(go_on(run, checkpoint, payload.rate_factor)))


def _find(request: HttpRequest, run_id: str) -> Run:
    run = find_run(request, run_id)
    if run.plan is None:
        raise ApiError(404, "unknown_training", "This run trains nothing. GET /api/v1/trainings lists those that do.")
    return run


def _answer(run: Run, trainers: int | None = None) -> dict[str, Any]:
    plan = run.plan or {}
    place = place_of(run)
    return {
        "id": run.id,
        "state": run.state,
        # The text may be long, and has an address of its own.
        "plan": {name: value for name, value in plan.items() if name != "text"},
        "model": run.checkpoint_id,
        "error": run.error,
        "place": place.before if place else None,
        "trainers": len(stream.living(TRAIN_QUEUE)) if trainers is None else trainers,
        "can_go_on": kept_checkpoint(run) is not None,
        "goes_on_from": run.parent_id,
        "row": run.row["name"] if run.row else None,
        "created_at": run.created_at,
        "socket": run.socket,
        "page": run.page,
    }
