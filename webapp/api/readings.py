"""What can be read off a map beside its weights: one taken apart, all summed up, and which are the strongest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

import numpy as np
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema

from webapp import dispatch
from webapp.api.asking import KEEP_FOR_EVER, REFUSALS, answered, find_head, span
from webapp.api.errors import ApiError
from webapp.api.rectangles import Rows
from webapp.api.schemas import FloorsAnswer, PairAnswer, StrongKey, TotalsAnswer
from workers.protocol.event import Event

router = Router(tags=["runs"])

Row = Annotated[int, Query(description="the query's row of the map, from 0")]
Col = Annotated[int, Query(description="the key's column of the map, from 0")]


@router.get(
    "/runs/{run_id}/pairs/{site}/{int:head}",
    response={200: PairAnswer, **REFUSALS},
    summary="One weight of a map taken apart: products by dimension, score, softmax",
)
async def read_pair(
    request: HttpRequest,
    run_id: str,
    site: str,
    head: int,
    row: Row,
    col: Col,
) -> HttpResponse:
    """weight = exp(score - log_sum_exp) * factor, score = softcap * tanh(scaled / softcap) + biases, and
    scaled = scale * (product + relative). What plays no part is null."""
    trace, shape = await sync_to_async(find_head)(request, run_id, site, head)
    check_pair(shape, row, col)
    pair, arrays = await answered(dispatch.ask_pair(trace, site, head, row, col))
    return _kept(pair_answer(pair, arrays))


def check_pair(shape: dict[str, Any], row: int, col: int) -> None:
    """Raises: ApiError where the map has no such row or column."""
    for name, given, length in (("row", row, shape["queries"]), ("col", col, shape["keys"])):
        if not 0 <= given < length:
            raise ApiError(422, f"bad_{name}", f"{name} goes from 0 to {length - 1}.", field=name, limit=length - 1)


def pair_answer(pair: Event, arrays: Mapping[str, Any]) -> PairAnswer:
    lists = {name: np.asarray(array).tolist() for name, array in arrays.items()}
    strongest = zip(lists.pop("strongest_keys"), lists.pop("strongest_weights"), strict=True)
    named = [StrongKey(key=key, weight=weight) for key, weight in strongest]
    return PairAnswer(**asdict(pair), **lists, strongest=named)


@router.get(
    "/runs/{run_id}/maps/{site}/{int:head}/totals",
    response={200: TotalsAnswer, **REFUSALS},
    summary="A map summed up: what each key receives, and how widely each row looks",
)
async def read_totals(
    request: HttpRequest,
    run_id: str,
    site: str,
    head: int,
    rows: Rows = "",
) -> HttpResponse:
    """`received` sums the columns over these rows, so those of parts add up; `entropy` is each row's, in nats.

    Every weight of the rows is computed for it, which takes as long as to read them all as tiles.
    """
    trace, shape = await sync_to_async(find_head)(request, run_id, site, head)
    row_range = _span_of_rows(rows, shape)
    totals, arrays = await answered(dispatch.ask_totals(trace, site, head, row_range))
    lists = {name: np.asarray(array).tolist() for name, array in arrays.items()}
    return _kept(TotalsAnswer(**asdict(totals), **lists))


@router.get(
    "/runs/{run_id}/maps/{site}/{int:head}/floors",
    response={200: FloorsAnswer, **REFUSALS},
    summary="What is strong enough in a map: how weak a weight of each row may be to be among the strongest",
)
async def read_floors(
    request: HttpRequest,
    run_id: str,
    site: str,
    head: int,
    mass: float = Query(..., gt=0, le=1, description="the share of what a row's keys hold that is to be kept"),
    rows: Rows = "",
) -> HttpResponse:
    """The weights that reach their row's floor are the fewest that together hold `mass` of what its keys hold; what a
    learned sink takes is no part of it.

    Every weight of the rows is computed and sorted for it, which takes about as long as to read them all as tiles.
    """
    trace, shape = await sync_to_async(find_head)(request, run_id, site, head)
    row_range = _span_of_rows(rows, shape)
    floors, arrays = await answered(dispatch.ask_floors(trace, site, head, row_range, mass))
    return _kept(FloorsAnswer(**asdict(floors), floors=np.asarray(arrays["floors"]).tolist()))


def _span_of_rows(rows: str, shape: dict[str, Any]) -> range:
    """The rows that are named. Raises: ApiError where they are more than a worker sums up or sorts at once."""
    row_range = span("rows", rows, shape["queries"])
    weights, limit = len(row_range) * shape["keys"], settings.TOTALS_LIMIT_WEIGHTS
    if weights > limit:
        most = max(1, limit // shape["keys"])
        raise ApiError(
            413,
            "too_many_rows",
            f"These rows hold {weights:,} weights; one answer reads {limit:,}. Ask for {most:,} rows at a time, and "
            "put the answers together.",
            field="rows",
            limit=most,
        )
    return row_range


def _kept(answer: Schema) -> HttpResponse:
    response = HttpResponse(answer.model_dump_json(), content_type="application/json")
    response["Cache-Control"] = KEEP_FOR_EVER
    return response
