"""A pair job is answered with one weight taken apart, by the map as kept or traced again."""

from __future__ import annotations

import math
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import redis

from workers.protocol import frame, keys
from workers.protocol.events import Failed, Pair
from workers.protocol.jobs import PairJob, TraceJob
from workers.runtime.process import Process
from workers.tasks import pair
from workers.tasks.trace import run_trace


def asked(job: TraceJob, row: int, col: int) -> PairJob:
    return PairJob(trace=job, reply="token", site="decoder.self.1", head=1, row=row, col=col)


def test_parts_make_up_the_weight_of_transformers(process: Process, job: TraceJob, expected: np.ndarray) -> None:
    run_trace(job, process)
    event, arrays = frame.decode(pair.make_pair(asked(job, 3, 1), process))
    assert isinstance(event, Pair) and (event.row, event.col, event.rule, event.turned) == (3, 1, "dot", False)
    query, key, products = (np.asarray(arrays[name]) for name in ("query", "key", "products"))
    np.testing.assert_allclose(products, query * key, rtol=1e-6)
    assert event.product == pytest.approx(float(products.sum()), rel=1e-4, abs=1e-6)
    assert event.scale == pytest.approx(8**-0.5)
    assert event.score is not None and event.log_sum_exp is not None
    assert event.score == pytest.approx(event.product * event.scale)
    assert event.weight == pytest.approx(math.exp(event.score - event.log_sum_exp))
    assert event.weight == pytest.approx(expected[3, 1], abs=2e-6)
    assert event.seen == 4


def test_strongest_keys_of_the_row_come_in_their_order(process: Process, job: TraceJob, expected: np.ndarray) -> None:
    run_trace(job, process)
    _, arrays = frame.decode(pair.make_pair(asked(job, 3, 1), process))
    strongest = np.asarray(arrays["strongest_weights"])
    np.testing.assert_allclose(strongest, np.sort(expected[3, :4])[::-1], atol=2e-6)
    np.testing.assert_allclose(expected[3, np.asarray(arrays["strongest_keys"])], strongest, atol=2e-6)


def test_hidden_pair_has_no_score_and_names_the_rule(process: Process, job: TraceJob) -> None:
    run_trace(job, process)
    event = frame.decode(pair.make_pair(asked(job, 1, 3), process)).event
    assert isinstance(event, Pair)
    assert (event.hidden_by, event.score, event.weight) == (["causal"], None, 0.0)


def test_evicted_run_is_traced_again(process: Process, job: TraceJob, expected: np.ndarray, tmp_path: Path) -> None:
    run_trace(job, process)
    shutil.rmtree(tmp_path / "captures" / "r")
    event = frame.decode(pair.make_pair(asked(job, 4, 2), process)).event
    assert isinstance(event, Pair) and event.weight == pytest.approx(expected[4, 2], abs=2e-6)


def test_whoever_asks_is_answered_even_when_the_checkpoint_is_gone(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair, "current", lambda: process)
    request = asdict(asked(job, 1, 0))
    request["trace"]["source"]["path"] = "/nowhere"
    pair.pair(request)
    taken = broker.blpop([keys.reply("token")], timeout=1)
    assert taken is not None
    assert isinstance(frame.decode(taken[1]).event, Failed)
