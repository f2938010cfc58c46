"""Floors: find what is strong enough in some rows of a map, and answer whoever asked."""

from __future__ import annotations

from typing import Any

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.floors import read_floors
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.events import Floors
from workers.protocol.jobs import FloorsJob
from workers.runtime.answering import answer_always, map_of
from workers.runtime.process import Process, current


@app.task(name=jobs.FLOORS)
def floors(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = FloorsJob.from_json(job)
    answer_always(request, process, lambda portion: make_floors(request, process, portion))


def make_floors(request: FloorsJob, process: Process, portion: Portion = USUAL) -> bytes:
    attention = map_of(request, process, portion)
    event = Floors(
        site=request.site,
        head=request.head,
        rows=list(request.rows),
        mass=request.mass,
        implementation=attention.implementation,
    )
    found = read_floors(attention, request.head, request.mass, range(*request.rows), portion)
    return frame.encode(event, {"floors": found})
