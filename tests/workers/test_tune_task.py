"""A training of a tuned lens: a while at a time, told as it goes, ended when it is stopped, stored when it is done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis

from modelcore.analysis import tuned_lens
from workers.protocol import keys, lenses
from workers.protocol.jobs import Source, TuneJob
from workers.runtime.process import Process
from workers.tasks import tune
from workers.tasks.tune import run_tune

STEPS = 6


@pytest.fixture
def request_(random_gpt2: Path, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> TuneJob:
    """In force, and so short that a step takes all the time that one turn has."""
    for module in (tuned_lens, tune):
        monkeypatch.setattr(module, "STEPS", STEPS)
    monkeypatch.setattr(tuned_lens, "LOOK_EVERY", 2)
    monkeypatch.setattr(tune, "WHILE_S", 1e-9)
    broker.set(keys.lens_training("random"), "t1")
    ids = np.random.default_rng(0).integers(1, 64, 300).tolist()
    return TuneJob(source=Source(model="random", path=str(random_gpt2)), token="t1", ids=ids)


@pytest.fixture
def told(broker: redis.Redis) -> Callable[[], dict[str, Any]]:
    def read() -> dict[str, Any]:
        value = broker.get(keys.lens_told("random"))
        assert isinstance(value, bytes)
        found: dict[str, Any] = json.loads(value)
        return found

    return read


def train(request: TuneJob, process: Process) -> int:
    """Turns until it is over, from the second on without the text."""
    turns = 1
    while run_tune(request, process):
        request = replace(request, text="", ids=None)
        turns += 1
    return turns


def test_training_goes_on_turn_by_turn_and_its_lens_is_stored(
    process: Process, request_: TuneJob, told: Callable[[], dict[str, Any]], tmp_path: Path
) -> None:
    assert run_tune(TuneJob.from_json(request_.to_json()), process)
    assert told() == {"state": "training", "done": 1, "total": STEPS}
    assert train(replace(request_, ids=None), process) == STEPS - 1
    assert told() == {"state": "finished"}
    about = lenses.about(tmp_path, "random")
    assert about is not None and (about["tokens"], about["steps"]) == (300, STEPS)
    assert len(about["before"]) == len(about["after"]) == 2
    assert not list((tmp_path / "lenses" / "random").glob("training-*"))


def test_stopped_training_ends_at_its_next_turn_and_leaves_nothing(
    process: Process, request_: TuneJob, broker: redis.Redis, tmp_path: Path
) -> None:
    assert run_tune(request_, process)
    broker.delete(keys.lens_training("random"))
    assert not run_tune(request_, process)
    assert list((tmp_path / "lenses" / "random").iterdir()) == []


def test_training_that_was_replaced_says_nothing_more(
    process: Process, request_: TuneJob, broker: redis.Redis, told: Callable[[], dict[str, Any]]
) -> None:
    assert run_tune(request_, process)
    broker.set(keys.lens_training("random"), "t2")
    broker.set(keys.lens_told("random"), json.dumps({"state": "waiting"}))
    assert not run_tune(request_, process)
    assert told() == {"state": "waiting"}
    assert broker.get(keys.lens_training("random")) == b"t2"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ids": [5] * 255}, "text_too_short"),
        ({"ids": None, "text": "So it goes."}, "no_tokenizer"),
        ({"source": Source(model="random", path="/nowhere")}, "checkpoint_refused"),
    ],
)
def test_whoever_waits_is_told_why_there_will_be_none(
    process: Process,
    request_: TuneJob,
    broker: redis.Redis,
    told: Callable[[], dict[str, Any]],
    change: dict[str, Any],
    code: str,
) -> None:
    assert not run_tune(replace(request_, **change), process)
    assert (told()["state"], told()["code"]) == ("failed", code)
    assert broker.get(keys.lens_training("random")) is None


def test_lens_that_cannot_be_stored_is_told(
    process: Process, request_: TuneJob, told: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tune, "save_tuned_lens", refuse)
    monkeypatch.setattr(tune, "WHILE_S", 60)
    assert not run_tune(request_, process)
    assert told()["message"] == "The lens could not be stored: No space left on device."


def test_later_turns_travel_without_the_text(
    process: Process, request_: TuneJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tune, "current", lambda: process)
    monkeypatch.setattr(tune.tune, "apply_async", lambda args, **_: sent.append(args[0]))
    tune.tune(request_.to_json())
    assert [(job["token"], job["text"], job["ids"]) for job in sent] == [("t1", "", None)]
