"""A device's memory is full: what nobody needs goes, the work is tried once more, and the next job is right."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import torch

from kernels import dispatch
from modelcore.analysis import chunks
from webapp.runs.replay import replay_of
from workers.protocol import archive, frame, keys
from workers.protocol.events import Failed
from workers.protocol.frame import Frame
from workers.protocol.jobs import Source, TotalsJob, TraceJob
from workers.runtime.engine import Engine
from workers.runtime.process import Process
from workers.runtime.second_try import MemoryFullError, twice_if_full
from workers.tasks import totals
from workers.tasks.trace import run_trace

Fill = Callable[[str, int, int], None]


@pytest.fixture
def memory_is_full(monkeypatch: pytest.MonkeyPatch) -> Fill:
    """The kernel of this name finds no memory from its `first` call on, so many `times`."""

    def fill(kernel: str, first: int, times: int) -> None:
        real, calls = getattr(dispatch, kernel), iter(range(10_000))

        def full(*arguments: Any, **named: Any) -> Any:
            if first <= next(calls) < first + times:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return real(*arguments, **named)

        monkeypatch.setattr(dispatch, kernel, full)

    return fill


def published(broker: redis.Redis, run: str) -> list[Frame]:
    return [frame.decode(fields[b"frame"]) for _, fields in broker.xrange(keys.frames(run))]


def told(frames: list[Frame]) -> list[tuple[str, dict[str, list[Any]]]]:
    """What does not depend on when it was said."""
    return [
        (event.type, {name: np.asarray(array).tolist() for name, array in arrays.items()}) for event, arrays in frames
    ]


def test_run_that_found_no_memory_begins_again_and_is_one_true_run(
    process: Process, job: TraceJob, broker: redis.Redis, tmp_path: Path, memory_is_full: Fill
) -> None:
    run_trace(replace(job, run="undisturbed"), process)
    memory_is_full("map_summary", 1, 1)
    run_trace(job, process)
    frames = published(broker, "r")
    assert [event.type for event, _ in frames] == [
        *("started", "tokens", "site"),
        *("started", "tokens", "site", "site", "probabilities", "finished"),
    ]
    assert [event.seq for event, _ in frames] == list(range(1, 10))
    assert told(frames[3:]) == told(published(broker, "undisturbed"))
    folded = replay_of(archive.read(archive.folder(tmp_path, "r")))
    assert [site["site"] for site in folded.sites] == ["decoder.self.0", "decoder.self.1"]
    assert len(folded.tokens) == 5 and folded.ending is not None and folded.ending["type"] == "finished"
    kept = process.captures.open("r")
    assert kept is not None and len(kept) == 2


def test_run_that_finds_none_twice_fails_in_words_and_the_next_one_is_right(
    process: Process, job: TraceJob, broker: redis.Redis, expected: np.ndarray, memory_is_full: Fill
) -> None:
    memory_is_full("map_summary", 0, 2)
    run_trace(job, process)
    events = [event for event, _ in published(broker, "r")]
    assert [event.type for event in events] == ["started", "tokens", "started", "tokens", "failed"]
    last = events[-1]
    assert isinstance(last, Failed) and last.code == "out_of_memory" and "Try a shorter text" in last.message
    run_trace(replace(job, run="next"), process)
    assert [event.type for event, _ in published(broker, "next")][-1] == "finished"
    asked = totals.TotalsJob(trace=replace(job, run="next"), reply="", site="decoder.self.1", head=1, rows=(0, 5))
    _, arrays = frame.decode(totals.make_totals(asked, process))
    np.testing.assert_allclose(np.asarray(arrays["received"]), expected.astype(np.float64).sum(0), atol=5e-6)


def test_reading_is_tried_again_with_fewer_rows_at_once(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_trace(job, process)
    monkeypatch.setattr(chunks, "ROWS_AT_ONCE", 16)
    real, heights = dispatch.map_tile, []

    def narrow(q: Any, k: Any, lse: Any, spec: Any, rows: range, *others: Any) -> Any:
        heights.append(len(rows))
        if len(rows) > 2:
            raise torch.OutOfMemoryError("full")
        return real(q, k, lse, spec, rows, *others)

    monkeypatch.setattr(dispatch, "map_tile", narrow)
    asked = TotalsJob(trace=job, reply="token", site="decoder.self.1", head=1, rows=(0, 5))
    answered = _answer(asked, process, broker)
    assert heights == [5, 2, 2, 1]
    monkeypatch.setattr(dispatch, "map_tile", real)
    whole = frame.decode(totals.make_totals(asked, process))
    np.testing.assert_allclose(np.asarray(answered.arrays["received"]), np.asarray(whole.arrays["received"]), atol=1e-6)


def test_reading_that_finds_none_twice_is_answered_in_words_and_the_next_one_is_right(
    process: Process, job: TraceJob, broker: redis.Redis, memory_is_full: Fill
) -> None:
    run_trace(job, process)
    memory_is_full("map_tile", 0, 2)
    asked = TotalsJob(trace=job, reply="token", site="decoder.self.1", head=1, rows=(0, 5))
    refused = _answer(asked, process, broker).event
    assert isinstance(refused, Failed) and refused.code == "out_of_memory" and refused.message.endswith(".")
    assert _answer(asked, process, broker).event.type == "totals"


def _answer(asked: TotalsJob, process: Process, broker: redis.Redis) -> Frame:
    totals.answer_always(asked, process, lambda portion: totals.make_totals(asked, process, portion))
    reply = broker.rpop(keys.reply(asked.reply))
    assert isinstance(reply, bytes)
    return frame.decode(reply)


def test_models_that_rest_make_way_and_pinned_ones_stay(random_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine("cpu")
    sources = {name: Source(model=name, path=str(random_gpt2)) for name in ("idle", "pinned", "used")}
    for source in sources.values():
        engine.model(source)
    engine.pinned = ("pinned",)
    seen: list[dict[str, str]] = []

    def make(portion: chunks.Portion) -> None:
        seen.append(engine.states())
        if portion == chunks.USUAL:
            raise torch.OutOfMemoryError("full")

    twice_if_full(make, engine, [sources["used"]])
    assert [set(states) for states in seen] == [{"idle", "pinned", "used"}, {"pinned", "used"}]


def test_what_the_first_try_held_is_gone_before_the_second() -> None:
    """An exception keeps its frames, and so every tensor in them, for as long as it is being handled."""
    held: list[weakref.ref[torch.Tensor]] = []
    alive: list[bool] = []

    def layers() -> Iterator[torch.Tensor]:
        large = torch.zeros(8)
        held.append(weakref.ref(large))
        yield large
        raise torch.OutOfMemoryError("full")

    def make(_: chunks.Portion) -> None:
        alive.append(any(tensor() is not None for tensor in held))
        for _layer in layers():
            pass

    with pytest.raises(MemoryFullError) as raised:
        twice_if_full(make, Engine("cpu"), [])
    assert alive == [False, False]
    assert raised.value.__context__ is None


def test_full_memory_of_the_host_is_not_tried_again(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("workers.tasks.trace.traced", full)
    run_trace(job, process)
    assert [event.type for event, _ in published(broker, "r")] == ["started", "failed"]
