"""Tile: recompute an exact rectangle of one head's map, or a pooled one, and answer whoever asked."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.trace import RequestError, SiteTraced
from modelcore.checkpoints.reader import CheckpointError
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.events import Failed, Tile
from workers.protocol.jobs import TileJob
from workers.runtime.feed import answer
from workers.runtime.process import Process, current
from workers.runtime.tracing import traced

log = logging.getLogger(__name__)


@app.task(name=jobs.TILE)
def tile(job: dict[str, Any]) -> None:
    """Celery's entry. Always answers, so that nobody waits for a tile that will not come."""
    process = current()
    request = TileJob.from_json(job)
    try:
        reply = make_tile(request, process)
    except (RequestError, CheckpointError) as refused:
        reply = frame.encode(Failed(code="trace_again_refused", message=str(refused)))
    except Exception:
        log.exception("tile of run %s", request.trace.run)
        reply = frame.encode(Failed(code="internal", message="The worker failed on this rectangle; its log says why."))
    answer(process.server, request.reply, reply)


def make_tile(request: TileJob, process: Process) -> bytes:
    attention = _maps(request, process)[request.site]
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


def _maps(request: TileJob, process: Process) -> dict[str, AttentionMap]:
    """The run's maps: as kept, or traced again after they were evicted, which nobody sees but in the waiting."""
    kept = process.captures.open(request.trace.run)
    if kept is not None:
        return kept
    resident, _ = process.engine.model(request.trace.source)
    maps = [step.map for step in traced(request.trace, resident) if isinstance(step, SiteTraced)]
    process.captures.keep(request.trace.run, maps)
    return {str(attention.site): attention for attention in maps}
