"""Two runs compared: how far each head changed from the first to the second, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from webapp import dispatch
from webapp.api.asking import KEEP_FOR_EVER, REFUSALS, answered, as_bytes, find_run, span
from webapp.api.comparison_schemas import ChangedHead, ChangedRow, ComparisonAnswer, DifferenceAnswer, StrongestKey
from webapp.api.errors import ApiError
from webapp.api.rectangles import NPY, Cols, check_cell, check_rectangle, npy, wants_npy
from webapp.runs import replay
from webapp.runs.models import Run
from webapp.runs.replay import Replay
from webapp.runs.writing import trace_of
from workers.protocol.jobs import Sequences, TraceJob

router = Router(tags=["comparisons"])

BY_HAND = (
    "pairs of tokens made by hand, SEQUENCE.A.B with commas between them: the token at A of the first run belongs to "
    "the one at B of the second. What is not named is aligned by its tokens"
)


@router.get(
    "/comparisons/{a}/{b}",
    response={200: ComparisonAnswer, **REFUSALS},
    summary="Two runs compared: heads by how far they changed, and their most changed rows",
)
async def compare(
    request: HttpRequest, a: str, b: str, alignment: str = Query("", description=BY_HAND)
) -> HttpResponse:
    """How far a row changed is the Jensen–Shannon distance (base 2, 0 to 1) of its weights on the keys that both runs
    have, sinks left out, each scaled to sum to 1. A head's distance is the mean over the rows that both have. Rows that
    rest on sinks in both runs are not counted; long texts are read in part, and `rows_read` says so.
    """
    both = await sync_to_async(find_both)(request, a, b, alignment)
    most_weights = settings.COMPARISON_LIMIT_WEIGHTS // len(both.sites)
    event, arrays = await answered(dispatch.ask_comparison(*both.traces, both.sequences, both.sites, most_weights))
    answer = answer_of(a, b, event, arrays, by_hand=bool(alignment))
    response = HttpResponse(answer.model_dump_json(), content_type="application/json")
    response["Cache-Control"] = KEEP_FOR_EVER
    return response


@router.get(
    "/comparisons/{a}/{b}/maps/{site}/{int:head}",
    response={200: DifferenceAnswer, **REFUSALS},
    summary="The second run's weights less the first's, on a rectangle of one head's map",
    openapi_extra=as_bytes(NPY),
)
async def read_difference(
    request: HttpRequest,
    a: str,
    b: str,
    site: str,
    head: int,
    rows: str = Query("", description="a:b, from row a of the first run up to but not including row b; all by default"),
    cols: Cols = "",
    cell: int = Query(1, description="more than 1: the value furthest from 0 of every cell x cell tokens"),
    alignment: str = Query("", description=BY_HAND),
) -> HttpResponse:
    """Float32, as .npy where Accept says application/x-npy, as JSON otherwise. NaN, in JSON null, stands where a row or
    a column of the first run has no partner in the second.
    """
    both = await sync_to_async(find_both)(request, a, b, alignment)
    shape = both.shape(site, head)
    check_cell(cell)
    row_range, col_range = span("rows", rows, shape["queries"], cell), span("cols", cols, shape["keys"], cell)
    check_rectangle(row_range, col_range, cell)
    event, arrays = await answered(
        dispatch.ask_difference(*both.traces, both.sequences, site, head, row_range, col_range, cell)
    )
    where = {"site": site, "head": head, "rows": event.rows, "cols": event.cols, "cell": cell}
    response = difference_answer(request, np.asarray(arrays["weights"]), **where, implementation=event.implementation)
    response["Cache-Control"] = KEEP_FOR_EVER
    response["Vary"] = "Accept"
    return response


def answer_of(a: str, b: str, event: Any, arrays: dict[str, memoryview[Any]], by_hand: bool) -> ComparisonAnswer:
    """What a worker told of two runs."""
    told = {name: np.asarray(array).tolist() for name, array in arrays.items()}
    starts = [0, *accumulate(event.heads)]
    heads = [
        _head(told, site, head, start + head)
        for site, start, count in zip(event.sites, starts, event.heads, strict=False)
        for head in range(count)
    ]
    heads.sort(key=lambda head: -1.0 if head.distance is None else head.distance, reverse=True)
    pairs = {name: np.reshape(told[f"{name}_pairs"], (-1, 2)).tolist() for name in ("encoder", "decoder")}
    return ComparisonAnswer(
        a=a,
        b=b,
        aligned_by="hand" if by_hand else "tokens",
        alignment={name: found for name, found in pairs.items() if found},
        heads=heads,
        sites=event.sites,
        rows_read=event.rows_read,
        rows_shared=event.rows_shared,
        implementation=event.implementation,
    )


def difference_answer(request: HttpRequest, weights: np.ndarray[Any, Any], **where: Any) -> HttpResponse:
    """As .npy or JSON, as the request asks."""
    if wants_npy(request):
        return npy(weights)
    values = [[_or_null(value) for value in row] for row in weights.tolist()]
    answer = DifferenceAnswer(values=values, **where)
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


@dataclass(frozen=True)
class Both:
    """Two runs that can be compared, with what they told."""

    runs: tuple[Run, Run]
    traces: tuple[TraceJob, TraceJob]
    told: tuple[Replay, Replay]
    sequences: dict[str, Sequences]
    sites: list[str]

    def shape(self, site: str, head: int) -> dict[str, Any]:
        """What the first run told of a site. Raises: ApiError where not both have it, or it has no such head."""
        shape = self.told[0].site(site)
        if site not in self.sites or shape is None:
            named = ", ".join(self.sites[:8])
            raise ApiError(404, "unknown_site", f"Both runs have the sites {named}.", field="site")
        if not 0 <= head < shape["heads"]:
            most = shape["heads"] - 1
            raise ApiError(404, "unknown_head", f"{site} has the heads 0 to {most}.", field="head", limit=most)
        return shape


def find_both(request: HttpRequest, a: str, b: str, alignment: str) -> Both:
    """Reads the database and both runs' files. Raises: ApiError that says why they cannot be compared."""
    runs = (find_run(request, a), find_run(request, b))
    told = (replay.replay(a), replay.replay(b))
    for name, run, replayed in zip(("first", "second"), runs, told, strict=True):
        _check_finished(name, run, replayed)
    if (runs[0].picture is None) != (runs[1].picture is None):
        raise ApiError(
            422,
            "picture_and_text",
            "One of these runs reads a picture and the other a text. Compare two texts, or two pictures.",
        )
    sites = _common_sites(told)
    sequences = _sequences(runs, told)
    for name, sequence, place, partner in _by_hand(alignment):
        _add_pair(sequences, name, sequence, place, partner)
    if not any(_has_something_in_common(both) for both in sequences.values()):
        raise ApiError(
            422,
            "no_token_in_common",
            "These texts have no token in common. Pair tokens by hand, with alignment=SEQUENCE.A.B, or compare texts "
            "that share words.",
            field="alignment",
        )
    traces = (trace_of(runs[0], told[0]), trace_of(runs[1], told[1]))
    return Both(runs, traces, told, sequences, sites)


def _check_finished(name: str, run: Run, told: Replay) -> None:
    state = told.ending["type"] if told.ending else run.state
    if state == "finished":
        return
    if state in Run.ENDED:
        raise ApiError(
            409,
            "run_without_maps",
            f"The {name} run, {run.id}, ended without all of its maps ({state}). Run its text again.",
        )
    raise ApiError(
        409, "run_not_finished", f"The {name} run, {run.id}, is still under way. Compare it when it has finished."
    )


def _common_sites(told: tuple[Replay, Replay]) -> list[str]:
    heads_a, heads_b = ({site["site"]: site["heads"] for site in each.sites} for each in told)
    common = [site for site in heads_a if site in heads_b]
    if not common:
        has = " and ".join(", ".join([*heads][:3]) for heads in (heads_a, heads_b))
        raise ApiError(
            422,
            "no_common_sites",
            f"These models have no attention site in common: they have {has}. Compare models of one architecture.",
        )
    for site in common:
        if heads_a[site] != heads_b[site]:
            raise ApiError(
                422,
                "head_counts_differ",
                f"{site} has {heads_a[site]} heads in the first run and {heads_b[site]} in the second. Compare models "
                "with as many heads.",
            )
    return common


def _sequences(runs: tuple[Run, Run], told: tuple[Replay, Replay]) -> dict[str, Sequences]:
    """Tokens are known by their ids where one model read both runs, else by their texts: ids of another model's
    vocabulary mean other tokens. Patches of a picture have no ids.
    """
    known_by = "id" if runs[0].checkpoint_id == runs[1].checkpoint_id and runs[0].picture is None else "text"
    sequences = {}
    for name in ("encoder", "decoder"):
        a, b = ([token for token in each.tokens if token["sequence"] == name] for each in told)
        if a and b:
            sequences[name] = Sequences(
                a=[str(token[known_by]) for token in a],
                b=[str(token[known_by]) for token in b],
                special_a=[token["special"] for token in a],
                special_b=[token["special"] for token in b],
            )
    return sequences


def _by_hand(alignment: str) -> list[tuple[str, str, int, int]]:
    """Each pair as it was written, and what it says."""
    pairs = []
    for written in alignment.split(",") if alignment else []:
        parts = written.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 8 for part in parts[1:]):
            raise ApiError(
                422,
                "bad_alignment",
                "alignment is SEQUENCE.A.B with commas between pairs, such as decoder.3.4,decoder.5.6.",
                field="alignment",
            )
        pairs.append((written, parts[0], int(parts[1]), int(parts[2])))
    return pairs


def _add_pair(sequences: dict[str, Sequences], written: str, name: str, place: int, partner: int) -> None:
    both = sequences.get(name)
    if both is None:
        raise ApiError(
            422,
            "bad_alignment",
            f"{written}: both runs have the sequences {', '.join(sequences) or 'none'}.",
            field="alignment",
        )
    if place >= len(both.a) or partner >= len(both.b):
        raise ApiError(
            422,
            "bad_alignment",
            f"{written}: the first run has the tokens 0 to {len(both.a) - 1}, the second 0 to {len(both.b) - 1}.",
            field="alignment",
        )
    if any(place == known or partner == other for known, other in both.by_hand):
        raise ApiError(
            422, "bad_alignment", f"{written}: one of these tokens has a partner already.", field="alignment"
        )
    both.by_hand.append((place, partner))


def _has_something_in_common(both: Sequences) -> bool:
    """Beside special tokens, which say nothing; where there are no others, they count."""
    plain_a, plain_b = (
        {token for token, is_special in zip(tokens, special, strict=True) if not is_special}
        for tokens, special in ((both.a, both.special_a), (both.b, both.special_b))
    )
    return bool(both.by_hand or plain_a & plain_b or (not plain_a and not plain_b and set(both.a) & set(both.b)))


def _head(told: dict[str, list[Any]], site: str, head: int, place: int) -> ChangedHead:
    partners = dict(told[f"{site.partition('.')[0]}_pairs"])
    names = ("row", "row_distance", "key_a", "weight_a", "key_b", "weight_b")
    changed = zip(*(told[name][place] for name in names), strict=True)
    rows = [
        ChangedRow(
            row=row,
            partner=partners[row],
            distance=distance,
            a=StrongestKey(key=key_a, weight=weight_a),
            b=StrongestKey(key=key_b, weight=weight_b),
        )
        for row, distance, key_a, weight_a, key_b, weight_b in changed
        if row >= 0
    ]
    return ChangedHead(site=site, head=head, distance=_or_null(told["distance"][place]), rows=rows)


def _or_null(value: float) -> float | None:
    return None if math.isnan(value) else value
