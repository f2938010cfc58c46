"""Difference: take a rectangle of one run's map from the same of another's, and answer whoever asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.difference import read_difference
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.comparison_events import Difference
from workers.protocol.jobs import DifferenceJob
from workers.runtime.answering import answer_always, maps_of
from workers.runtime.comparing import partners_of, sequences_of
from workers.runtime.process import Process, current


@app.task(name=jobs.DIFFERENCE)
def difference(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = DifferenceJob.from_json(job)
    answer_always(request, process, lambda portion: make_difference(request, process, portion))


def make_difference(request: DifferenceJob, process: Process, portion: Portion = USUAL) -> bytes:
    a, b = (maps_of(trace, process, portion)[request.site] for trace in (request.trace, request.other))
    of_rows, of_keys = (partners_of(request.sequences[name]) for name in sequences_of(a.site))
    rows, cols = range(*request.rows), range(*request.cols)
    weights = read_difference(a, b, request.head, rows, cols, of_rows, of_keys, request.cell, portion)
    event = Difference(
        site=request.site,
        head=request.head,
        rows=list(request.rows),
        cols=list(request.cols),
        cell=request.cell,
        implementation=a.implementation,
    )
    return frame.encode(event, {"weights": np.ascontiguousarray(weights)})
