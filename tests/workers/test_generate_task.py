"""A job that writes becomes frames: each token as it is written, then the finished text as a trace has it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from tests.workers.test_trace_task import published, types
from workers.protocol import keys
from workers.protocol.events import Failed, Finished, Step
from workers.protocol.jobs import Choices, GenerateJob, TraceJob
from workers.runtime.process import Process
from workers.tasks.generate import run_generate
from workers.tasks.trace import run_trace


@pytest.fixture
def writing(job: TraceJob) -> GenerateJob:
    return GenerateJob(trace=job, choices=Choices(max_tokens=3))


def steps(broker: redis.Redis) -> list[Step]:
    return [event for event, _ in published(broker) if isinstance(event, Step)]


def test_every_token_is_published_as_it_is_written(process: Process, writing: GenerateJob, broker: redis.Redis) -> None:
    run_generate(writing, process)
    written = ["step", "prompt_rows", "prompt_rows", "step", "step"]
    assert types(broker) == ["started", "tokens", *written, "tokens", "site", "site", "probabilities", "finished"]
    assert [step.place for step in steps(broker)] == [5, 6, 7]
    assert [step.finished for step in steps(broker)] == [None, None, "length"]
    finished = published(broker)[-1].event
    assert isinstance(finished, Finished)
    assert set(finished.timings) == {"queued_s", "load_s", "write_s", "trace_s"}


def test_step_carries_its_alternatives_and_a_row_of_every_head(
    process: Process, writing: GenerateJob, broker: redis.Redis
) -> None:
    run_generate(writing, process)
    event, arrays = next(read for read in published(broker) if isinstance(read.event, Step))
    assert isinstance(event, Step)
    assert (event.sites, event.heads, event.keys) == (["decoder.self.0", "decoder.self.1"], [2, 2], [5, 5])
    rows = np.asarray(arrays["rows"]).reshape(4, 5) / 65_535
    assert np.allclose(rows.sum(-1), 1, atol=5 * 7.7e-6)
    probabilities = np.asarray(arrays["probabilities"])
    assert np.asarray(arrays["alternatives"])[0] == event.id and len(event.texts) == len(probabilities) == 10
    assert probabilities[0] == pytest.approx(event.probability) and (np.diff(probabilities) <= 0).all()


def test_finished_text_is_traced_as_if_it_had_been_given(
    process: Process, writing: GenerateJob, broker: redis.Redis
) -> None:
    run_generate(writing, process)
    ids = np.asarray(published(broker)[-5].arrays["ids"]).tolist()
    assert ids == [*(writing.trace.ids or []), *(step.id for step in steps(broker))]
    kept = process.captures.open("r")
    run_trace(replace(writing.trace, run="t", ids=ids), process)
    traced = process.captures.open("t")
    assert kept is not None and traced is not None
    for site, map_ in traced.items():
        assert (kept[site].tile() - map_.tile()).abs().max() <= 1e-6


def test_same_seed_draws_the_same_tokens(process: Process, writing: GenerateJob, broker: redis.Redis) -> None:
    drawn = Choices(max_tokens=6, temperature=1.5, top_k=40, seed=7)
    run_generate(replace(writing, choices=drawn), process)
    first = [step.id for step in steps(broker)]
    broker.delete(keys.frames("r"))
    run_generate(GenerateJob(trace=replace(writing.trace, run="again"), choices=drawn), process)
    found = [fields[b"frame"] for _, fields in broker.xrange(keys.frames("again"))]
    from workers.protocol import frame

    events = [frame.decode(data).event for data in found]
    assert [event.id for event in events if isinstance(event, Step)] == first


def test_beams_are_published_as_they_grow(process: Process, writing: GenerateJob, broker: redis.Redis) -> None:
    run_generate(replace(writing, choices=Choices(max_tokens=3, beams=2)), process)
    assert types(broker)[2:6] == ["beams"] * 4
    *grown, end = [read for read in published(broker) if read.event.type == "beams"]
    assert [event.first for event, _ in grown] == [0, 2, 4]  # type: ignore[attr-defined]
    assert len(end.arrays["ids"]) == 0 and len(end.event.best) == 2  # type: ignore[attr-defined]
    assert types(broker)[-1] == "finished"


@pytest.mark.parametrize(
    ("job_change", "choices", "code"),
    [
        ({"ids": [1] * 32}, Choices(), "no_room"),
        ({"ids": [1] * 33}, Choices(), "text_too_long"),
        ({}, Choices(stop_strings=["."]), "no_tokenizer"),
        ({}, Choices(temperature=-1.0), "bad_sampling"),
    ],
)
def test_what_cannot_be_written_fails_with_a_sentence(
    process: Process, job: TraceJob, broker: redis.Redis, job_change: dict[str, Any], choices: Choices, code: str
) -> None:
    run_generate(GenerateJob(trace=replace(job, **job_change), choices=choices), process)
    last = published(broker)[-1].event
    assert isinstance(last, Failed) and last.code == code and last.message.endswith(".")


def test_run_that_is_taken_over_in_the_middle_stops_at_its_next_token(
    process: Process, writing: GenerateJob, broker: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.runtime import encoding

    encode = encoding.step

    def cancelled_at_the_second(*arguments: Any) -> Any:
        if len(steps(broker)) == 1:
            broker.set(keys.attempt("r"), 2)
        return encode(*arguments)

    monkeypatch.setattr(encoding, "step", cancelled_at_the_second)
    run_generate(writing, process)
    assert types(broker) == ["started", "tokens", "step", "prompt_rows", "prompt_rows"]


def test_job_comes_out_of_the_queue_as_it_went_in(writing: GenerateJob) -> None:
    job = replace(writing, choices=Choices(max_tokens=5, stop_strings=["\n"], top_p=0.9, seed=1))
    assert GenerateJob.from_json(job.to_json()) == job
