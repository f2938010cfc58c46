"""What a share keeps to be read: maps of its run, of a second one and of their difference, lens, pairs, comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from webapp.api import comparisons
from webapp.api import lens as lens_of_runs
from webapp.api.asking import REFUSALS, as_bytes, find_shape, span
from webapp.api.comparison_schemas import ComparisonAnswer, DifferenceAnswer
from webapp.api.entering import entered, not_kept
from webapp.api.influence import Reading
from webapp.api.lens_schemas import LensAnswer, LensLayer
from webapp.api.readings import Col, Row, check_pair, pair_answer
from webapp.api.rectangles import NPY, Cell, Cols, Rows, check_cell, check_rectangle, npy, wants_npy
from webapp.api.schemas import FloorsAnswer, MapAnswer, PairAnswer, TotalsAnswer
from webapp.api.shares import FRAMES
from webapp.runs import replay
from webapp.shares import kept
from webapp.shares.models import ShareLink
from workers.protocol import archive

router = Router(tags=["shares"])

IMPLEMENTATION = "kept"


@router.get(
    "/shares/{slug}/maps/{site}/{int:head}",
    response={200: MapAnswer, **REFUSALS},
    summary="A rectangle of a map that was kept with a share",
    openapi_extra=as_bytes(NPY),
)
def read_map(
    request: HttpRequest,
    slug: str,
    site: str,
    head: int,
    rows: Rows = "",
    cols: Cols = "",
    cell: Cell = 1,
    reading: Annotated[Reading, Query()] = "attention",
    position: int | None = None,
    token: int | None = None,
) -> HttpResponse:
    """As of a run, of those heads whose maps were kept."""
    share = entered(request, slug)
    shape = _shape(share.folder, site, head)
    check_cell(cell)
    row_range, col_range = span("rows", rows, shape["queries"], cell), span("cols", cols, shape["keys"], cell)
    check_rectangle(row_range, col_range, cell)
    named = kept.reading_name(reading, position, token, row_range.start)
    # A flow is kept as the one row that it is.
    within = range(len(row_range)) if reading == "flow" else row_range
    weights = kept.read_map(share.folder, site, head, named, within, col_range, cell)
    if weights is None or not weights.size:
        raise not_kept(
            "This share keeps this head as an overview only."
            if reading == "attention"
            else "This share does not keep this reading of this head.",
            field="head" if reading == "attention" else "reading",
        )
    where = {"site": site, "head": head, "rows": _ends(row_range), "cols": _ends(col_range), "cell": cell}
    return _map(request, weights, where, reading=reading, position=position, token=token)


@router.get(
    "/shares/{slug}/maps/{site}/{int:head}/totals",
    response={200: TotalsAnswer, **REFUSALS},
    summary="A map that was kept with a share, summed up",
)
def read_totals(request: HttpRequest, slug: str, site: str, head: int, rows: str = Query("")) -> HttpResponse:
    """As of a run."""
    row_range, weights = _whole_rows(entered(request, slug), "attention", site, head, rows)
    received, entropy = kept.totals(weights)
    answer = TotalsAnswer(
        site=site,
        head=head,
        rows=_ends(row_range),
        received=received.tolist(),
        entropy=entropy.tolist(),
        implementation=IMPLEMENTATION,
    )
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


@router.get(
    "/shares/{slug}/maps/{site}/{int:head}/floors",
    response={200: FloorsAnswer, **REFUSALS},
    summary="What is strong enough in a map that was kept with a share",
)
def read_floors(
    request: HttpRequest, slug: str, site: str, head: int, mass: float = Query(..., gt=0, le=1), rows: str = Query("")
) -> HttpResponse:
    """As of a run."""
    return _floors(entered(request, slug), "attention", site, head, mass, rows)


@router.get(
    "/shares/{slug}/pairs/{site}/{int:head}",
    response={200: PairAnswer, **REFUSALS},
    summary="A weight that could be taken apart where it was shared: products by dimension, score, softmax",
)
def read_pair(request: HttpRequest, slug: str, site: str, head: int, row: Row, col: Col) -> HttpResponse:
    """As of a run, of the two tokens that were kept in the shared view, in the head shown and in the picked ones."""
    share = entered(request, slug)
    check_pair(_shape(share.folder, site, head), row, col)
    pair, pairs = {"site": site, "head": head, "row": row, "col": col}, share.pairs or []
    if pair not in pairs:
        raise not_kept("This share keeps how the weights that were in view came about, and not this one.")
    answer = kept.read_answer(share.folder, kept.pair_name(pairs.index(pair)))
    if answer is None:
        raise not_kept("This share does not keep how this weight came about.")
    return HttpResponse(pair_answer(*answer).model_dump_json(), content_type="application/json")


@router.get(
    "/shares/{slug}/second/frames",
    response={200: None, **REFUSALS},
    summary="Of a shared comparison all frames of the second run",
    openapi_extra=as_bytes(FRAMES),
)
def read_second_frames(request: HttpRequest, slug: str) -> HttpResponse:
    """As those of the share."""
    return HttpResponse((_second(entered(request, slug)) / "1.frames").read_bytes(), content_type=FRAMES)


@router.get(
    "/shares/{slug}/second/maps/{site}/{int:head}",
    response={200: MapAnswer, **REFUSALS},
    summary="Of a shared comparison a rectangle of one of the second run's maps",
    openapi_extra=as_bytes(NPY),
)
def read_second_map(
    request: HttpRequest,
    slug: str,
    site: str,
    head: int,
    rows: Rows = "",
    cols: Cols = "",
    cell: Cell = 1,
) -> HttpResponse:
    """As of a run, of those heads whose maps were kept."""
    share = entered(request, slug)
    weights, where = _rectangle(share, _second(share), kept.SECOND, site, head, rows, cols, cell)
    return _map(request, weights, where, reading="attention")


@router.get(
    "/shares/{slug}/second/maps/{site}/{int:head}/floors",
    response={200: FloorsAnswer, **REFUSALS},
    summary="Of a shared comparison what is strong enough in one of the second run's maps",
)
def read_second_floors(
    request: HttpRequest, slug: str, site: str, head: int, mass: float = Query(..., gt=0, le=1), rows: str = Query("")
) -> HttpResponse:
    """As of a run."""
    return _floors(entered(request, slug), kept.SECOND, site, head, mass, rows)


@router.get(
    "/shares/{slug}/comparison",
    response={200: ComparisonAnswer, **REFUSALS},
    summary="Of a shared comparison how far each head changed",
)
def read_comparison(request: HttpRequest, slug: str, alignment: str = Query("")) -> HttpResponse:
    """As of two runs, with the tokens paired as they were when it was shared."""
    share = entered(request, slug)
    by_hand = _alignment(share, alignment)
    answer = kept.read_answer(share.folder, kept.COMPARISON)
    if answer is None:
        raise not_kept("This share keeps both runs, but not what changed between them.")
    told = comparisons.answer_of(share.slug, kept.SECOND, *answer, by_hand=by_hand)
    return HttpResponse(told.model_dump_json(), content_type="application/json")


@router.get(
    "/shares/{slug}/comparison/maps/{site}/{int:head}",
    response={200: DifferenceAnswer, **REFUSALS},
    summary="Of a shared comparison the second run's weights less the first's",
    openapi_extra=as_bytes(NPY),
)
def read_difference(
    request: HttpRequest,
    slug: str,
    site: str,
    head: int,
    rows: Rows = "",
    cols: Cols = "",
    cell: int = Query(1, description="more than 1: the value furthest from 0 of every cell x cell tokens"),
    alignment: str = Query(""),
) -> HttpResponse:
    """As of two runs, of those heads whose maps were kept."""
    share = entered(request, slug)
    _alignment(share, alignment)
    weights, where = _rectangle(share, share.folder, kept.DIFFERENCE, site, head, rows, cols, cell)
    return comparisons.difference_answer(request, weights, **where, implementation=IMPLEMENTATION)


@router.get(
    "/shares/{slug}/lens",
    response={200: LensAnswer, **REFUSALS},
    summary="What each layer would say, as it was kept with a share whose lens was open",
)
def read_lens(request: HttpRequest, slug: str, positions: str = Query(""), tuned: bool = Query(False)) -> HttpResponse:
    """As of a run, with five guesses at each position; all positions that were kept where none are named."""
    share = entered(request, slug)
    answer = kept.read_answer(share.folder, kept.LENS)
    if answer is None or share.lens is None or tuned != share.lens["tuned"]:
        raise not_kept("This share does not keep this lens.", field="tuned")
    whole = lens_of_runs.answer_of(*answer)
    start, stop = whole.positions
    asked = span("positions", positions, stop) if positions else range(start, stop)
    if asked.start < start:
        raise not_kept(f"This share keeps the lens at positions {start} to {stop - 1}.", field="positions")
    part = _part(whole, slice(asked.start - start, asked.stop - start))
    told = part.model_copy(update={"positions": _ends(asked)})
    return HttpResponse(told.model_dump_json(), content_type="application/json")


def _part(whole: LensAnswer, places: slice) -> LensAnswer:
    layers = [
        LensLayer(
            depth=layer.depth,
            ids=layer.ids[places],
            probabilities=layer.probabilities[places],
            truth_probabilities=layer.truth_probabilities[places],
            truth_ranks=layer.truth_ranks[places],
        )
        for layer in whole.layers
    ]
    return whole.model_copy(update={"truth": whole.truth[places], "layers": layers})


def _shape(frames: Path, site: str, head: int) -> dict[str, Any]:
    return find_shape(replay.replay_of(archive.read(frames)), site, head)


def _second(share: ShareLink) -> Path:
    """Where the second run's frames lie. Raises: ApiError where there is none."""
    if share.second is None:
        raise not_kept("This share is of one run.")
    return share.folder / kept.SECOND


def _alignment(share: ShareLink, asked: str) -> bool:
    """Whether tokens were paired by hand. Raises: ApiError where they are asked for in other pairs than were kept."""
    _second(share)
    pairs = parse_qs(share.view.lstrip("?")).get("pairs", [""])[-1]
    if asked != pairs:
        raise not_kept("This share keeps the tokens as they were paired.", field="alignment")
    return bool(pairs)


def _rectangle(
    share: ShareLink, frames: Path, reading: str, site: str, head: int, rows: str, cols: str, cell: int
) -> tuple[kept.Matrix, dict[str, Any]]:
    """A part of a kept map, and where that is."""
    shape = _shape(frames, site, head)
    check_cell(cell)
    row_range, col_range = span("rows", rows, shape["queries"], cell), span("cols", cols, shape["keys"], cell)
    check_rectangle(row_range, col_range, cell)
    weights = kept.read_map(share.folder, site, head, reading, row_range, col_range, cell)
    if weights is None:
        raise not_kept("This share keeps this head as an overview only.", field="head")
    return weights, {"site": site, "head": head, "rows": _ends(row_range), "cols": _ends(col_range), "cell": cell}


def _map(request: HttpRequest, weights: kept.Matrix, where: dict[str, Any], **more: Any) -> HttpResponse:
    if wants_npy(request):
        return npy(weights)
    answer = MapAnswer(
        **where,
        rule="exact" if where["cell"] == 1 else "max",
        implementation=IMPLEMENTATION,
        weights=weights.tolist(),
        **{"position": None, "token": None, "logit": None, **more},
    )
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


def _floors(share: ShareLink, reading: str, site: str, head: int, mass: float, rows: str) -> HttpResponse:
    row_range, weights = _whole_rows(share, reading, site, head, rows)
    answer = FloorsAnswer(
        site=site,
        head=head,
        rows=_ends(row_range),
        mass=mass,
        floors=kept.floors(weights, mass).tolist(),
        implementation=IMPLEMENTATION,
    )
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


def _whole_rows(share: ShareLink, reading: str, site: str, head: int, rows: str) -> tuple[range, kept.Matrix]:
    shape = _shape(_second(share) if reading == kept.SECOND else share.folder, site, head)
    row_range = span("rows", rows, shape["queries"])
    weights = kept.read_map(share.folder, site, head, reading, row_range, range(shape["keys"]), 1)
    if weights is None:
        raise not_kept("This share keeps this head as an overview only.", field="head")
    return row_range, weights


def _ends(span: range) -> tuple[int, int]:
    return span.start, span.stop
