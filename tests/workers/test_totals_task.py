"""A totals job is answered with the two margins of some rows of a map."""

from __future__ import annotations

import numpy as np

from workers.protocol import frame
from workers.protocol.events import Totals
from workers.protocol.jobs import TotalsJob, TraceJob
from workers.runtime.process import Process
from workers.tasks import totals
from workers.tasks.trace import run_trace


def test_margins_are_those_of_transformers(process: Process, job: TraceJob, expected: np.ndarray) -> None:
    run_trace(job, process)
    asked = TotalsJob(trace=job, reply="token", site="decoder.self.1", head=1, rows=(1, 5))
    event, arrays = frame.decode(totals.make_totals(TotalsJob.from_json(asked.to_json()), process))
    assert isinstance(event, Totals) and event.rows == [1, 5]
    rows = expected[1:5].astype(np.float64)
    np.testing.assert_allclose(np.asarray(arrays["received"]), rows.sum(0), atol=5e-6)
    seen = np.where(rows > 0, rows, 1)
    np.testing.assert_allclose(np.asarray(arrays["entropy"]), -(rows * np.log(seen)).sum(1), atol=1e-5)
