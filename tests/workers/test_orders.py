"""A worker does what the site asks of it, says so, and tells what its device tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from workers.protocol import jobs, keys
from workers.protocol.fleet import Gauges, Order, Standing
from workers.protocol.jobs import Source
from workers.runtime.choices import compute_dtype, resident_bytes
from workers.runtime.engine import DoesNotFitError, Engine
from workers.runtime.gauges import Meter
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.orders import Obedience
from workers.runtime.process import Process
from workers.tasks.load import run_load

QUEUES = ("interactive", "direct.one")


@dataclass
class CountedTaps:
    """Celery's queues, as a list of what was asked of them."""

    asked: list[tuple[str, Any]] = field(default_factory=list)

    def open(self, queues: Sequence[str]) -> None:
        self.asked.append(("open", tuple(queues)))

    def close(self, queues: Sequence[str]) -> None:
        self.asked.append(("close", tuple(queues)))

    def hand_to_myself(self, task: str, job: dict[str, str]) -> None:
        self.asked.append((task, job))


@pytest.fixture
def taps() -> CountedTaps:
    return CountedTaps()


@pytest.fixture
def engine(random_gpt2: Path) -> Engine:
    engine = Engine("cpu")
    engine.model(Source(model="random", path=str(random_gpt2)))
    return engine


@pytest.fixture
def obedience(broker: redis.Redis, engine: Engine, taps: CountedTaps) -> Obedience:
    return Obedience(broker, "one", engine, taps, QUEUES)


def answers(broker: redis.Redis) -> list[tuple[int, str]]:
    told = [json.loads(fields[b"told"]) for _, fields in broker.xrange(keys.LIFECYCLE)]
    return [(each["order"], each["answer"]) for each in told if each["event"] == "obeyed"]


def test_drained_worker_takes_nothing_keeps_its_models_and_goes_on_when_it_may(
    obedience: Obedience, engine: Engine, taps: CountedTaps
) -> None:
    for wanted in ("drained", "drained", "working"):
        obedience.stand(Standing(wanted))  # type: ignore[arg-type]
    assert taps.asked == [("close", QUEUES), ("open", QUEUES)]
    assert engine.states() == {"random": "ready"}


def test_stopped_worker_lets_its_models_go(obedience: Obedience, engine: Engine, taps: CountedTaps) -> None:
    obedience.stand(Standing("stopped"))
    assert taps.asked == [("close", QUEUES)]
    assert engine.states() == {}


def test_model_is_evicted_on_order_and_that_is_told(broker: redis.Redis, obedience: Obedience, engine: Engine) -> None:
    obedience.obey(Order("evict", order=7, model="random"))
    obedience.obey(Order("evict", order=8, model="random"))
    assert engine.states() == {}
    assert answers(broker) == [(7, "done"), (8, "It was not resident.")]


def test_model_is_loaded_by_the_thread_that_runs_models(
    broker: redis.Redis, process: Process, obedience: Obedience, taps: CountedTaps, random_gpt2: Path, tmp_path: Path
) -> None:
    obedience.obey(Order("load", order=9, model="new", path=str(random_gpt2)))
    ((task, job),) = taps.asked
    assert (task, job["model"], job["order"]) == (jobs.LOAD, "new", "9")
    run_load(Source(model="new", path=str(random_gpt2)), 9, process)
    run_load(Source(model="nothing", path=str(tmp_path)), 10, process)
    assert process.engine.states() == {"new": "ready"}
    (done, refused) = answers(broker)
    assert done == (9, "done") and refused[0] == 10 and "config.json" in refused[1]


def test_pinned_model_stays_whatever_else_comes(engine: Engine, random_gpt2: Path) -> None:
    engine.limit_bytes = 1
    engine.pinned = ("random",)
    engine.model(Source(model="second", path=str(random_gpt2)))
    engine.model(Source(model="third", path=str(random_gpt2)))
    assert engine.states() == {"random": "ready", "third": "ready"}


def test_model_that_does_not_fit_is_refused_before_it_is_read(random_gpt2: Path) -> None:
    engine = Engine("cpu", room=lambda device: 1000)
    with pytest.raises(DoesNotFitError) as refused:
        engine.model(Source(model="large", path=str(random_gpt2)))
    assert refused.value.needed > refused.value.allowed == 1000
    assert engine.states() == {}


def test_standing_is_read_with_each_beat_and_told_back(broker: redis.Redis) -> None:
    seen: list[Standing] = []
    heartbeat = Heartbeat(
        broker, "one", "cpu", "cpu", gauges=lambda: Gauges(10, 4, temperature_c=50.0), obey=seen.append
    )
    wanted = Standing("drained", ("prose",), order=3)
    broker.set(keys.standing("one"), json.dumps(wanted.to_json()))
    heartbeat.start()
    try:
        told = json.loads(broker.get(keys.worker("one")))
        assert seen == [wanted] and Standing.from_json(told["standing"]) == wanted
    finally:
        heartbeat.stop()


def test_run_is_told_when_it_begins_and_ends_and_not_with_the_next_beat(broker: redis.Redis) -> None:
    heartbeat = Heartbeat(broker, "one", "cpu", "cpu")
    with heartbeat.working("r", 1):
        told = json.loads(broker.get(keys.worker("one")))
        assert told["running"] == [{"run": "r", "attempt": 1}] and told["busy_s"] >= 0
    told = json.loads(broker.get(keys.worker("one")))
    assert told["running"] == [] and told["busy_s"] is None and told["done"] == 1


def test_cpu_tells_memory_disk_and_how_busy_it_is(tmp_path: Path) -> None:
    told = Meter("cpu", tmp_path).read()
    assert 0 < told.memory_free_bytes <= told.memory_total_bytes
    assert told.utilisation is not None and 0 <= told.utilisation <= 1
    assert 0 < told.disk_free_bytes < told.disk_total_bytes
    assert told.temperature_c is None


@pytest.mark.parametrize(("given", "expected"), [("", 2 << 30), ("1000", 1000)])
def test_memory_for_models_is_a_number_of_bytes(given: str, expected: int) -> None:
    assert resident_bytes(given, "cpu") == expected


def test_memory_for_models_is_a_share_or_refused() -> None:
    assert 0 < resident_bytes("50%", "cpu") == resident_bytes("100%", "cpu") // 2
    for wrong in ("half", "101%", "-1"):
        with pytest.raises(ValueError, match="HEADLIGHT_MODEL_BYTES"):
            resident_bytes(wrong, "cpu")


def test_numbers_are_chosen_by_name(random_gpt2: Path) -> None:
    with pytest.raises(ValueError, match="HEADLIGHT_DTYPE"):
        compute_dtype("double", "cpu")
    assert str(compute_dtype("auto", "cpu")) == "torch.float32"
    engine = Engine("cpu", dtype=compute_dtype("bfloat16", "cpu"))
    resident, _ = engine.model(Source(model="random", path=str(random_gpt2)))
    whole, _ = Engine("cpu").model(Source(model="random", path=str(random_gpt2)))
    assert resident.size_bytes == whole.size_bytes // 2
