"""A trace job becomes frames: in order, once, and always with an end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from workers.protocol import archive, frame, keys
from workers.protocol.events import Failed, Finished, Started
from workers.protocol.frame import Frame
from workers.protocol.jobs import Source, TraceJob
from workers.runtime.process import Process
from workers.tasks.trace import run_trace


def published(broker: redis.Redis) -> list[Frame]:
    return [frame.decode(fields[b"frame"]) for _, fields in broker.xrange(keys.frames("r"))]


def types(broker: redis.Redis) -> list[str]:
    return [event.type for event, _ in published(broker)]


def test_trace_publishes_its_frames_in_order(process: Process, job: TraceJob, broker: redis.Redis) -> None:
    run_trace(job, process)
    assert types(broker) == ["started", "tokens", "site", "site", "probabilities", "finished"]
    assert [event.seq for event, _ in published(broker)] == [1, 2, 3, 4, 5, 6]
    started, finished = published(broker)[0].event, published(broker)[-1].event
    assert isinstance(started, Started) and isinstance(finished, Finished)
    assert (started.run, started.model, started.worker, started.device) == ("r", "random", "test@host", "cpu")
    assert set(finished.timings) == {"queued_s", "load_s", "trace_s"}


def test_site_carries_all_heads(process: Process, job: TraceJob, broker: redis.Redis) -> None:
    run_trace(job, process)
    event, arrays = published(broker)[2]
    overview = np.asarray(arrays["overview"])
    assert overview.shape == (2, 5, 5)
    assert np.asarray(arrays["measures"]).shape == (len(event.measures), 2)  # type: ignore[attr-defined]
    assert len(event.labels) == len(arrays["margin"]) == len(arrays["confidence"]) == 2  # type: ignore[attr-defined]
    # Causal: nothing above the diagonal; and of the first row all weight is on itself.
    assert not overview[:, np.triu_indices(5, 1)[0], np.triu_indices(5, 1)[1]].any()
    assert (overview[:, 0, 0] == 255).all()


def test_run_ends_stored_before_it_ends_anywhere_else(
    process: Process, job: TraceJob, tmp_path: Path, broker: redis.Redis
) -> None:
    run_trace(job, process)
    stored = [frame.decode(one.frame).event for one in archive.read(archive.folder(tmp_path, "r"))]
    assert stored == [event for event, _ in published(broker)]


def test_same_job_twice_is_done_once(process: Process, job: TraceJob, broker: redis.Redis) -> None:
    run_trace(job, process)
    run_trace(job, process)
    assert types(broker).count("started") == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ids": [64]}, "id_out_of_range"),
        ({"ids": [1] * 33}, "text_too_long"),
        ({"ids": None, "text": "no tokenizer here"}, "no_tokenizer"),
        ({"source": Source(model="gone", path="/nowhere")}, "checkpoint_refused"),
    ],
)
def test_what_cannot_be_traced_fails_with_a_sentence(
    process: Process, job: TraceJob, broker: redis.Redis, change: dict[str, Any], code: str
) -> None:
    run_trace(replace(job, **change), process)
    last = published(broker)[-1].event
    assert isinstance(last, Failed) and last.code == code
    assert last.message.endswith(".") and len(last.message) <= 300


def test_failure_of_ours_is_an_end_too(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret path /etc/passwd")

    monkeypatch.setattr("workers.tasks.trace.traced", broken)
    run_trace(job, process)
    last = published(broker)[-1].event
    assert isinstance(last, Failed) and last.code == "internal" and "/etc" not in last.message


def test_later_attempt_takes_over_without_a_word_from_the_first(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.tasks import trace

    told = trace.traced

    def taken_over_meanwhile(*arguments: Any) -> Any:
        broker.set(keys.attempt("r"), 2)
        return told(*arguments)

    monkeypatch.setattr(trace, "traced", taken_over_meanwhile)
    run_trace(job, process)
    assert types(broker) == ["started"]
