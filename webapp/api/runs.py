"""Runs over HTTP: ask for one, see how far it is, read exact rectangles of its maps."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from webapp.accounts.ownership import may_see, person_of
from webapp.accounts.visitors import visitor_of
from webapp.api.asking import KEEP_FOR_EVER, REFUSALS, answered, as_bytes, find_head, find_run, find_run_to_change, span
from webapp.api.checkpoints import unknown_model
from webapp.api.choices import writing_fields
from webapp.api.errors import ApiError
from webapp.api.influence import Question, Reading, ask, check_question
from webapp.api.rectangles import NPY, Cell, Cols, Rows, check_cell, check_rectangle, npy, wants_npy
from webapp.api.schemas import MapAnswer, ProbabilitiesAnswer, RunAnswer, RunRequest, SubmittedAnswer, TreeAnswer
from webapp.checkpoints.access import find_usable
from webapp.fleet.living import fleet
from webapp.people.limits import allow
from webapp.runs import replay
from webapp.runs.cancel import cancel
from webapp.runs.models import Run
from webapp.runs.queue import place_of
from webapp.runs.replay import Replay
from webapp.runs.submit import submit_trace
from webapp.runs.writing import tree_of
from workers.protocol.frame import Frame

router = Router(tags=["runs"])


@router.post("/runs", response={201: SubmittedAnswer, **REFUSALS}, summary="Run a model on a text or a picture")
def submit(request: HttpRequest, payload: RunRequest) -> Status[dict[str, Any]]:
    person = person_of(request)
    checkpoint = find_usable(payload.model, person)
    if checkpoint is None:
        raise unknown_model("model")
    if checkpoint.is_missing:
        raise ApiError(
            409,
            "model_missing",
            f"The files of {checkpoint.name} are gone. Put them back, or add them again.",
            field="model",
        )
    allow(request)
    run = submit_trace(
        checkpoint,
        text=payload.text,
        ids=payload.ids,
        target=payload.target,
        target_ids=payload.target_ids,
        text_pair=payload.text_pair,
        picture=payload.picture,
        owner=person,
        visitor=visitor_of(request),
        **writing_fields(payload, checkpoint, person),
    )
    return Status(201, {"id": run.id, "socket": run.socket, "page": run.page})


@router.get("/runs/{run_id}", response={200: RunAnswer, **REFUSALS}, summary="How far a run is, its tokens and sites")
def read(request: HttpRequest, run_id: str) -> dict[str, Any]:
    run = find_run(request, run_id)
    return describe(run, replay.replay(run.id))


def describe(run: Run, told: Replay) -> dict[str, Any]:
    """A run as RunAnswer has it. Reads Redis."""
    # The last frame is stored before anybody hears of it; the row follows when the recorder has read it.
    state, timings, implementation, error = run.state, run.timings, run.implementation, run.error
    if told.ending and run.state not in Run.ENDED:
        state = told.ending["type"]
        timings = told.ending.get("timings", {})
        implementation = told.ending.get("implementation", implementation)
        error = {name: told.ending[name] for name in ("code", "message")} if state == "failed" else None
    place = place_of(run) if state == Run.State.QUEUED else None
    return {
        "id": run.id,
        "kind": run.kind,
        "model": run.checkpoint_id,
        "state": state,
        "text": run.text,
        "target": run.target,
        "text_pair": run.text_pair,
        "picture": run.picture,
        "generate": run.choices,
        "parent": run.parent_id,
        "branched_at": run.branched_at,
        "tokens": told.tokens,
        "sites": told.sites,
        "timings": timings,
        "implementation": implementation,
        "error": error,
        "attempt": run.attempt,
        "place": place.before if place else None,
        "wait_s": place.wait_s if place else None,
        "workers": fleet().workers,
        "created_at": run.created_at,
        "socket": run.socket,
        "page": run.page,
    }


@router.get("/runs/{run_id}/tree", response={200: TreeAnswer, **REFUSALS}, summary="A run's branches")
def read_tree(request: HttpRequest, run_id: str) -> dict[str, Any]:
    """The whole tree that the run stands in, whichever of its runs is asked about."""
    tree = tree_of(find_run(request, run_id))
    person = person_of(request)
    runs = [branch for branch in tree if may_see(person, branch.run)]
    return {"text": runs[0].run.text, "target": runs[0].run.target, "runs": [branch.told for branch in runs]}


@router.post("/runs/{run_id}/cancel", response={200: SubmittedAnswer, **REFUSALS}, summary="Stop a run")
def stop(request: HttpRequest, run_id: str) -> dict[str, Any]:
    run = find_run_to_change(request, run_id)
    if not cancel(run):
        raise ApiError(409, "already_ended", "This run has ended; what it found is kept.")
    return {"id": run.id, "socket": run.socket, "page": run.page}


@router.get(
    "/runs/{run_id}/maps/{site}/{int:head}",
    response={200: MapAnswer, **REFUSALS},
    summary="An exact rectangle of one head's map",
    openapi_extra=as_bytes(NPY),
)
async def read_map(
    request: HttpRequest,
    run_id: str,
    site: str,
    head: int,
    rows: Rows = "",
    cols: Cols = "",
    cell: Cell = 1,
    reading: Annotated[Reading, Query(description="what is read off the map")] = "attention",
    position: int | None = Query(None, description="reading=gradient: after which token; the last where left out"),
    token: int | None = Query(
        None, description="reading=gradient: the id of a token or class; the likeliest where left out"
    ),
) -> HttpResponse:
    """Float32, as .npy where Accept says application/x-npy, as JSON otherwise.

    `attention`: the weights A; every full row sums to 1.
    `value`: A_ij times the norm of v_j W_O, which is how much the weight moves (Kobayashi et al. 2020).
    `gradient`: A_ij times the gradient of a chosen output's logit by it, signed (after Chefer et al. 2021).
    `rollout`: rows of the product of (A + I) / 2 through the layers, A the mean over heads, up to this site's; the
    same for each of its heads (Abnar and Zuidema 2020). Self-attention alone; so many rows at once as the refusal says.
    `flow`: of one row the largest flow through the same layers to each token (the same authors); short texts alone.
    """
    trace, shape = await sync_to_async(find_head)(request, run_id, site, head)
    check_cell(cell)
    row_range = span("rows", rows, shape["queries"], cell)
    col_range = span("cols", cols, shape["keys"], cell)
    check_rectangle(row_range, col_range, cell)
    question = Question(reading, position, token)
    await sync_to_async(check_question)(run_id, question, shape, row_range)
    tile, arrays = await answered(ask(trace, site, head, question, row_range, col_range, cell))
    return map_answer(request, tile, np.asarray(arrays["weights" if reading == "attention" else "values"]))


@router.get(
    "/runs/{run_id}/probabilities",
    response={200: ProbabilitiesAnswer, **REFUSALS},
    summary="The most likely tokens after a position",
)
def read_probabilities(request: HttpRequest, run_id: str, position: int = -1, top: int = 10) -> dict[str, Any]:
    """`position` counts from 0; negative counts from the end. The worker keeps the first 50 of each position."""
    run = find_run(request, run_id)
    return next_tokens(replay.probabilities(run.id), position, top)


def next_tokens(found: Frame | None, position: int, top: int) -> dict[str, Any]:
    """As ProbabilitiesAnswer has it. Raises: ApiError where there is no such position."""
    if found is None:
        raise ApiError(409, "not_yet", "This run has no probabilities yet. Read them when it is finished.")
    event, arrays = found
    ids, chances = np.asarray(arrays["ids"]), np.asarray(arrays["probabilities"])
    positions, kept = ids.shape
    if not -positions <= position < positions:
        raise ApiError(
            422,
            "bad_position",
            f"position goes from 0 to {positions - 1}.",
            field="position",
            limit=positions - 1,
        )
    if not 1 <= top <= kept:
        raise ApiError(422, "bad_top", f"top goes from 1 to {kept}.", field="top", limit=kept)
    row = position % positions
    return {
        "position": row,
        "sequence": event.sequence,  # type: ignore[attr-defined]
        "tokens": [
            {"id": id_, "text": event.texts[str(id_)], "probability": chance}  # type: ignore[attr-defined]
            for id_, chance in zip(ids[row, :top].tolist(), chances[row, :top].tolist(), strict=True)
        ],
    }


def map_answer(request: HttpRequest, tile: Any, weights: np.ndarray[Any, Any]) -> HttpResponse:
    if wants_npy(request):
        response = npy(weights)
    else:
        answer = MapAnswer(
            site=tile.site,
            head=tile.head,
            rows=tile.rows,
            cols=tile.cols,
            cell=tile.cell,
            rule=tile.rule,
            implementation=tile.implementation,
            weights=weights.tolist(),
            reading=getattr(tile, "reading", "attention"),
            position=getattr(tile, "position", None),
            token=getattr(tile, "token", None),
            logit=getattr(tile, "logit", None),
        )
        response = HttpResponse(answer.model_dump_json(), content_type="application/json")
    response["Cache-Control"] = KEEP_FOR_EVER
    response["Vary"] = "Accept, Cookie, Authorization"
    response["X-Implementation"] = tile.implementation
    return response
