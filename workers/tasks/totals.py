"""Totals: sum some rows of a map up along both sides, and answer whoever asked."""

from __future__ import annotations

from typing import Any

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.totals import read_totals
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.events import Totals
from workers.protocol.jobs import TotalsJob
from workers.runtime.answering import answer_always, map_of
from workers.runtime.process import Process, current


@app.task(name=jobs.TOTALS)
def totals(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = TotalsJob.from_json(job)
    answer_always(request, process, lambda portion: make_totals(request, process, portion))


def make_totals(request: TotalsJob, process: Process, portion: Portion = USUAL) -> bytes:
    attention = map_of(request, process, portion)
    found = read_totals(attention, request.head, range(*request.rows), portion)
    event = Totals(
        site=request.site, head=request.head, rows=list(request.rows), implementation=attention.implementation
    )
    arrays = {
        "received": found.received_K.float().cpu().numpy(),
        "entropy": found.entropy_Q.float().cpu().numpy(),
    }
    return frame.encode(event, arrays)
