"""A tile job is always answered: with the exact rectangle, also after the capture was evicted, or with a reason."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import redis

from workers.protocol import frame, keys
from workers.protocol.events import Failed, Tile
from workers.protocol.jobs import TileJob, TraceJob
from workers.runtime.captures import Captures
from workers.runtime.process import Process
from workers.tasks import tile
from workers.tasks.trace import run_trace


def asked(job: TraceJob, **change: object) -> TileJob:
    request = {"site": "decoder.self.1", "head": 1, "rows": (1, 4), "cols": (0, 3), "cell": 1, **change}
    return TileJob(trace=job, reply="token", **request)  # type: ignore[arg-type]


def test_tile_is_the_exact_rectangle(process: Process, job: TraceJob, expected: np.ndarray) -> None:
    run_trace(job, process)
    event, arrays = frame.decode(tile.make_tile(asked(job), process))
    assert isinstance(event, Tile) and (event.rule, event.rows, event.cols) == ("exact", [1, 4], [0, 3])
    np.testing.assert_allclose(np.asarray(arrays["weights"]), expected[1:4, 0:3], atol=2e-6)


def test_tile_of_cells_holds_their_largest_weight(process: Process, job: TraceJob, expected: np.ndarray) -> None:
    run_trace(job, process)
    event, arrays = frame.decode(tile.make_tile(asked(job, rows=(0, 5), cols=(0, 5), cell=2), process))
    assert isinstance(event, Tile) and event.rule == "max"
    weights = np.asarray(arrays["weights"])
    assert weights.shape == (3, 3)
    np.testing.assert_allclose(weights[1, 0], expected[2:4, 0:2].max(), atol=2e-6)
    np.testing.assert_allclose(weights[2, 2], expected[4, 4], atol=2e-6)


def test_evicted_run_is_traced_again_unseen(
    process: Process, job: TraceJob, expected: np.ndarray, tmp_path: Path, broker: redis.Redis
) -> None:
    run_trace(job, process)
    shutil.rmtree(tmp_path / "captures" / "r")
    frames = broker.xlen(keys.frames("r"))
    _, arrays = frame.decode(tile.make_tile(asked(job), process))
    np.testing.assert_allclose(np.asarray(arrays["weights"]), expected[1:4, 0:3], atol=2e-6)
    assert broker.xlen(keys.frames("r")) == frames
    assert process.captures.open("r") is not None


def test_whoever_asks_is_answered_even_when_the_checkpoint_is_gone(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile, "current", lambda: process)
    request = asdict(asked(job))
    request["trace"]["source"]["path"] = "/nowhere"
    tile.tile(request)
    taken = broker.blpop([keys.reply("token")], timeout=1)
    assert taken is not None
    assert isinstance(frame.decode(taken[1]).event, Failed)


def test_oldest_captures_make_room(process: Process, job: TraceJob, tmp_path: Path) -> None:
    run_trace(job, process)
    maps = list((process.captures.open("r") or {}).values())
    size = sum(path.stat().st_size for path in (tmp_path / "captures" / "r").iterdir())
    few = Captures(tmp_path / "few", limit_bytes=int(2.5 * size))
    for run in ("a", "b", "c"):
        few.keep(run, maps)
    assert few.open("a") is None
    assert few.open("b") is not None and few.open("c") is not None
