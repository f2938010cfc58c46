"""The lens: what each layer of a model would say at some positions of a run."""

from __future__ import annotations

from typing import Any

import numpy as np
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from webapp import dispatch
from webapp.api.asking import KEEP_FOR_EVER, REFUSALS, answered, find_run, span
from webapp.api.errors import ApiError
from webapp.api.lens_schemas import LensAnswer, LensLayer
from webapp.checkpoints.models import Checkpoint
from webapp.runs import replay
from webapp.runs.writing import trace_of
from workers.protocol.events import Finished
from workers.protocol.jobs import TraceJob

router = Router(tags=["lens"])

MOST_GUESSES = 50

# A tuned lens may be trained again.
ASK_EACH_TIME = "private, no-cache"


@router.get(
    "/runs/{run_id}/lens",
    response={200: LensAnswer, **REFUSALS},
    summary="What each layer would say: the model's own head on the residual stream",
)
async def read_lens(
    request: HttpRequest,
    run_id: str,
    positions: str = Query("", description="a:b, from position a up to but not including b; all where left out"),
    top: int = Query(5, ge=1, le=MOST_GUESSES, description="how many guesses of each layer and position"),
    tuned: bool = Query(False, description="through the model's tuned lens, which must have been trained"),
) -> HttpResponse:
    """Depth 0 is what enters the first layer; the last depth says what the model says. A decoder guesses the token that
    follows each position, an encoder the token that stands there; of a picture there is the one position 0, whose
    guesses are classes.

    Source: nostalgebraist 2020 (the logit lens); Belrose et al. 2023, arXiv 2303.08112 (the tuned lens).
    """
    trace, asked = await sync_to_async(find_positions)(request, run_id, positions)
    lens, arrays = await answered(dispatch.ask_lens(trace, asked, top, tuned))
    answer = answer_of(lens, arrays)
    response = HttpResponse(answer.model_dump_json(), content_type="application/json")
    response["Cache-Control"] = ASK_EACH_TIME if tuned else KEEP_FOR_EVER
    return response


def find_positions(request: HttpRequest, run_id: str, positions: str) -> tuple[TraceJob, range]:
    """The trace that made the run, and the positions that are named. Reads the database and the run's file.

    Raises: ApiError where the run has no such positions, or its model no head to look through.
    """
    run = find_run(request, run_id)
    told = replay.replay(run.id)
    if told.ending is None or told.ending["type"] != Finished.type:
        raise ApiError(409, "not_finished", "The lens reads finished runs; this one is not, or ended early.")
    checkpoint = run.checkpoint
    if checkpoint is None:
        raise ApiError(409, "no_lens", "This run trained a model; the lens is for runs that read with one.")
    if not has_lens(checkpoint):
        raise ApiError(409, "no_lens", f"{checkpoint.name} has no head that scores tokens, so its layers cannot guess.")
    sequence = "encoder" if checkpoint.manifest["architecture"] == "encoder" else "decoder"
    length = 1 if checkpoint.sees else sum(token["sequence"] == sequence for token in told.tokens)
    asked = span("positions", positions, length)
    _require_bounded(asked, checkpoint)
    return trace_of(run, told), asked


def has_lens(checkpoint: Checkpoint) -> bool:
    """Whether its head scores a vocabulary, or the classes of a picture."""
    return bool(checkpoint.manifest["output"] == ("classes" if checkpoint.sees else "vocabulary"))


def _require_bounded(positions: range, checkpoint: Checkpoint) -> None:
    manifest = checkpoint.manifest
    most = max(1, settings.LENS_LIMIT_SCORES // ((manifest["layers"] + 1) * max(1, manifest["vocabulary"])))
    if len(positions) > most:
        raise ApiError(
            413,
            "too_many_positions",
            f"One answer reads {most:,} positions of this model; ask for that many at a time.",
            field="positions",
            limit=most,
        )


def answer_of(lens: Any, arrays: dict[str, memoryview[Any]]) -> LensAnswer:
    """What a worker told of some positions."""
    found = {name: np.asarray(array) for name, array in arrays.items()}
    known = found["truth"] >= 0

    def known_only(values: np.ndarray[Any, Any]) -> list[Any]:
        return [value if is_known else None for value, is_known in zip(values.tolist(), known, strict=True)]

    layers = [
        LensLayer(
            depth=depth,
            ids=ids.tolist(),
            probabilities=found["probabilities"][depth].tolist(),
            truth_probabilities=known_only(found["truth_probabilities"][depth]),
            truth_ranks=known_only(found["truth_ranks"][depth]),
        )
        for depth, ids in enumerate(found["ids"])
    ]
    return LensAnswer(
        sequence=lens.sequence,
        positions=lens.positions,
        guesses=lens.guesses,
        tuned=lens.tuned,
        texts=lens.texts,
        truth=known_only(found["truth"]),
        layers=layers,
    )
