"""Further readings of a map over HTTP: what of them can be asked for, checked before a worker is troubled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from webapp import dispatch
from webapp.api.errors import ApiError
from webapp.runs import replay
from webapp.runs.models import Run
from workers.protocol.frame import Frame
from workers.protocol.influence import FLOW_TOKENS, ROLLOUT_ROWS, ROLLOUT_WEIGHTS, InfluenceReading
from workers.protocol.jobs import TraceJob

Reading = Literal["attention", InfluenceReading]


@dataclass(frozen=True)
class Question:
    """Which reading, and for a gradient of which output; None leaves that to the model."""

    reading: Reading
    position: int | None = None
    token: int | None = None


def check_question(run_id: str, question: Question, shape: dict[str, Any], rows: range) -> None:
    """Reads the database and the run's file. Raises: ApiError where there is no such reading of this map."""
    if question.reading == "gradient":
        _check_output(run_id, question)
    elif question.position is not None or question.token is not None:
        raise ApiError(
            422, "no_output", "Only reading=gradient is for an output; leave position and token out.", field="position"
        )
    if question.reading in ("rollout", "flow"):
        _check_layers(run_id, question.reading, shape, rows)


async def ask(trace: TraceJob, site: str, head: int, question: Question, rows: range, cols: range, cell: int) -> Frame:
    """The worker's answer. Raises: dispatch.WorkersAwayError."""
    if question.reading == "attention":
        return await dispatch.ask_tile(trace, site, head, rows, cols, cell)
    return await dispatch.ask_influence(
        trace, site, head, question.reading, rows, cols, cell, question.position, question.token
    )


def _check_output(run_id: str, question: Question) -> None:
    checkpoint = Run.objects.select_related("checkpoint").get(pk=run_id).checkpoint
    assert checkpoint is not None, "a training has no maps"
    output = checkpoint.manifest["output"]
    if output == "hidden":
        raise ApiError(
            409,
            "no_scores",
            f"{checkpoint.name} gives hidden states and scores nothing, so there is no output to follow back. "
            "Choose another reading, or a model that scores tokens or classes.",
            field="reading",
        )
    if output == "classes":
        if question.position is not None:
            raise ApiError(
                422, "bad_position", "This model scores the whole input; leave position out.", field="position"
            )
        return
    tokens = replay.replay(run_id).tokens
    last = tokens[-1]["sequence"]
    positions = sum(token["sequence"] == last for token in tokens)
    _within("position", question.position, positions)
    if output == "vocabulary":
        _within("token", question.token, checkpoint.manifest["vocabulary"])


def _within(name: str, given: int | None, length: int) -> None:
    if given is not None and not 0 <= given < length:
        raise ApiError(422, f"bad_{name}", f"{name} goes from 0 to {length - 1}.", field=name, limit=length - 1)


def _check_layers(run_id: str, reading: str, shape: dict[str, Any], rows: range) -> None:
    if shape["kind"] != "self":
        raise ApiError(
            422,
            "no_self_attention",
            f"{reading.capitalize()} follows self-attention, and {shape['site']} is cross-attention. "
            "Choose another head.",
            field="reading",
        )
    tokens = shape["queries"]
    if reading == "flow":
        if tokens > FLOW_TOKENS:
            raise ApiError(
                413,
                "too_long_for_flow",
                f"This text has {tokens:,} tokens; flow is worked out for up to {FLOW_TOKENS}. "
                "Ask for the rollout, or run a shorter text.",
                field="reading",
                limit=FLOW_TOKENS,
            )
        if len(rows) != 1:
            raise ApiError(422, "one_row", "Flow is of one token: give rows=a:b with b = a + 1.", field="rows", limit=1)
        return
    if len(rows) > ROLLOUT_ROWS:
        raise ApiError(
            413,
            "too_many_rows",
            f"These are {len(rows):,} rows; one rollout holds {ROLLOUT_ROWS:,}. Ask for fewer rows.",
            field="rows",
            limit=ROLLOUT_ROWS,
        )
    sites = [site for site in replay.replay(run_id).sites if site["stack"] == shape["stack"] and site["kind"] == "self"]
    heads = sum(site["heads"] for site in sites if site["layer"] <= shape["layer"])
    weights = heads * tokens * tokens // (2 if shape["causal"] else 1)
    if weights > ROLLOUT_WEIGHTS:
        raise ApiError(
            413,
            "too_long_for_rollout",
            f"Up to this layer the maps hold {weights:,} weights; a rollout is worked out of {ROLLOUT_WEIGHTS:,}. "
            "Choose a lower layer, or run a shorter text.",
            field="reading",
            limit=ROLLOUT_WEIGHTS,
        )
