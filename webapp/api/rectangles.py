"""What addresses of rectangles share: how large one may be, and .npy as an answer."""

from __future__ import annotations

import io
from typing import Annotated, Any

import numpy as np
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query

from webapp.api.errors import ApiError

NPY = "application/x-npy"

Rows = Annotated[str, Query(description="a:b, from row a up to but not including row b; all where left out")]
Cols = Annotated[str, Query(description="a:b, the same for columns")]
Cell = Annotated[int, Query(description="more than 1: the largest weight of every cell x cell tokens")]
"""As a request names a rectangle: "", "" and 1 are all of a map, exact."""


def check_rectangle(rows: range, cols: range, cell: int) -> None:
    values = -(-len(rows) // cell) * -(-len(cols) // cell)
    if values > settings.MAP_LIMIT_VALUES:
        raise ApiError(
            413,
            "rectangle_too_large",
            f"This rectangle has {values:,} values; one answer holds {settings.MAP_LIMIT_VALUES:,}. "
            "Ask for fewer rows and columns, or for a larger cell.",
            limit=settings.MAP_LIMIT_VALUES,
        )


def check_cell(cell: int) -> None:
    if cell < 1 or cell & (cell - 1):
        raise ApiError(422, "bad_cell", "cell is a power of two: 1, 2, 4 and so on.", field="cell")


def wants_npy(request: HttpRequest) -> bool:
    accepts_npy_alone = request.accepts(NPY) and not request.accepts("application/json")
    return accepts_npy_alone or request.headers.get("Accept") == NPY


def npy(weights: np.ndarray[Any, Any]) -> HttpResponse:
    buffer = io.BytesIO()
    np.save(buffer, weights, allow_pickle=False)
    return HttpResponse(buffer.getvalue(), content_type=NPY)
