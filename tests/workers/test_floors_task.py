"""A floors job is answered with what a weight of each row must reach to be among the strongest."""

from __future__ import annotations

import numpy as np

from modelcore.layers.attention_map import ROUNDING
from workers.protocol import frame
from workers.protocol.events import Floors
from workers.protocol.jobs import FloorsJob, TraceJob
from workers.runtime.process import Process
from workers.tasks import floors
from workers.tasks.trace import run_trace


def test_floors_leave_the_fewest_weights_of_transformers_that_hold_the_share(
    process: Process, job: TraceJob, expected: np.ndarray
) -> None:
    run_trace(job, process)
    asked = FloorsJob(trace=job, reply="token", site="decoder.self.1", head=1, rows=(1, 5), mass=0.6)
    event, arrays = frame.decode(floors.make_floors(FloorsJob.from_json(asked.to_json()), process))
    assert isinstance(event, Floors) and (event.rows, event.mass) == ([1, 5], 0.6)
    found = np.asarray(arrays["floors"])
    assert found.shape == (4,)
    for row, floor in zip(expected[1:5].astype(np.float64), found, strict=True):
        assert row[row >= floor].sum() >= 0.6
        # Weights that are as good as equal to the weakest are kept with it.
        assert row[row >= floor * (1 + 2 * ROUNDING)].sum() < 0.6
