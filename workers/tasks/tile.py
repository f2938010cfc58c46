"""Tile: recompute an exact rectangle of one head's map, or a pooled one, and answer whoever asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcore.analysis.chunks import USUAL, Portion
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.events import Tile
from workers.protocol.jobs import TileJob
from workers.runtime.answering import answer_always, map_of
from workers.runtime.process import Process, current


@app.task(name=jobs.TILE)
def tile(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = TileJob.from_json(job)
    answer_always(request, process, lambda portion: make_tile(request, process, portion))


def make_tile(request: TileJob, process: Process, portion: Portion = USUAL) -> bytes:
    attention = map_of(request, process, portion)
    rows, cols = range(*request.rows), range(*request.cols)
    if request.cell == 1:
        weights = attention.tile(rows, cols, heads=[request.head])[0, 0]
    else:
        weights = attention.pool(request.cell, rows, cols, heads=[request.head], mean=False).maximum[0, 0]
    event = Tile(
        site=request.site,
        head=request.head,
        rows=list(request.rows),
        cols=list(request.cols),
        cell=request.cell,
        rule="exact" if request.cell == 1 else "max",
        implementation=attention.implementation,
    )
    return frame.encode(event, {"weights": np.ascontiguousarray(weights.float().cpu().numpy())})
