"""What workers tell becomes rows that outlive everything, with a history that does not grow for ever."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.utils import timezone

from webapp.fleet.models import AuditEntry, Pin, QueueSample, QueueState, Worker, WorkerSample
from webapp.record import fleet_rows, keeper
from webapp.record.fleet_rows import FleetRows
from webapp.runs.models import Run
from workers.protocol import keys
from workers.protocol.fleet import Standing

pytestmark = pytest.mark.django_db


def beat(broker: redis.Redis, name: str, **told: Any) -> None:
    pulse = {
        "name": name,
        "queues": ["interactive"],
        "device": "cuda",
        "running": [],
        "models": {},
        "standing": Standing().to_json(),
        "gauges": {"memory_total_bytes": 100, "memory_free_bytes": 30, "utilisation": 0.5, "power_w": 210.0},
    }
    broker.set(keys.worker(name), json.dumps({**pulse, **told}), ex=keys.HEARTBEAT_TTL_S)


def test_worker_is_a_row_with_what_it_told_last_and_a_history(broker: redis.Redis) -> None:
    rows = FleetRows()
    beat(broker, "one", running=[{"run": "r", "attempt": 1}], models={"prose": "ready"})
    rows.write()
    worker = Worker.objects.get(pk="one")
    assert worker.is_living and worker.running == [{"run": "r", "attempt": 1}]
    sample = WorkerSample.objects.get()
    told = (sample.memory_used_bytes, sample.utilisation, sample.power_w, sample.temperature_c, sample.models_held)
    assert told == (70, 0.5, 210.0, None, 1)
    rows.write()
    assert WorkerSample.objects.count() == 1, "it is not yet time for the next"


def test_worker_that_is_gone_stays_as_a_row_that_says_so(broker: redis.Redis) -> None:
    beat(broker, "one", running=[{"run": "r", "attempt": 1}])
    FleetRows().write()
    Worker.objects.update(seen_at=timezone.now() - timedelta(seconds=keys.HEARTBEAT_TTL_S + 1))
    broker.flushall()
    FleetRows().write()
    worker = Worker.objects.get(pk="one")
    assert not worker.is_living and worker.running == []


def test_queue_tells_how_many_wait_how_long_and_for_whom(broker: redis.Redis, run: Run) -> None:
    Run.objects.update(created_at=timezone.now() - timedelta(seconds=90))
    beat(broker, "one")
    FleetRows().write()
    state = QueueState.objects.get(pk="interactive")
    assert (state.waiting, state.running, state.workers) == (1, 0, 1)
    assert 89 < state.oldest_s < 100
    assert QueueSample.objects.filter(queue="interactive", waiting=1).count() == 1
    QueueState.objects.update(paused=True)
    FleetRows().write()
    assert QueueState.objects.get(pk="interactive").paused, "what people chose is not written over"


def test_worker_that_does_not_know_what_is_wanted_of_it_is_told_again(broker: redis.Redis) -> None:
    beat(broker, "one")
    FleetRows().write()
    Worker.objects.update(wanted="drained", order=4)
    Pin.objects.create(model="prose", worker_id="one")
    FleetRows().write()
    wanted = Standing("drained", ("prose",), 4)
    assert Standing.from_json(json.loads(broker.get(keys.standing("one")))) == wanted


def test_wish_is_answered_when_the_worker_repeats_it_and_an_order_when_it_says_so(broker: redis.Redis) -> None:
    wish = AuditEntry.objects.create(actor_name="ada", action="drain", worker="one", details={"standing": 4})
    order = AuditEntry.objects.create(actor_name="ada", action="evict", worker="one")
    beat(broker, "one")
    FleetRows().write()
    wish.refresh_from_db()
    assert wish.answered_at is None
    beat(broker, "one", standing=Standing("drained", (), 4).to_json())
    FleetRows().write()
    told = {"event": "obeyed", "run": "", "attempt": 0, "worker": "one", "order": order.pk, "answer": "done"}
    keeper.record({**told, "worker": "another"})
    order.refresh_from_db()
    assert order.answered_at is None, "another worker's answer is not this one's"
    keeper.record(told)
    for entry in (wish, order):
        entry.refresh_from_db()
        assert entry.answered_at is not None and entry.answer == "done"


def test_history_is_thinned_the_further_back_it_lies(broker: redis.Redis) -> None:
    beat(broker, "one")
    FleetRows().write()
    WorkerSample.objects.all().delete()
    now = timezone.now().replace(second=0, microsecond=0)
    for age in (timedelta(minutes=30), timedelta(hours=20), timedelta(days=10), timedelta(days=40)):
        for second in range(0, 600, 10):
            WorkerSample.objects.create(worker_id="one", at=now - age + timedelta(seconds=second))
    fleet_rows.thin()

    def kept(older: timedelta, newer: timedelta) -> int:
        return WorkerSample.objects.filter(at__gte=now - older, at__lt=now - newer).count()

    assert kept(timedelta(hours=1), timedelta(minutes=0)) == 60
    assert kept(timedelta(hours=21), timedelta(hours=19)) in (10, 11)
    assert kept(timedelta(days=11), timedelta(days=9)) in (1, 2)
    assert kept(timedelta(days=41), timedelta(days=39)) == 0
    before = WorkerSample.objects.count()
    fleet_rows.thin()
    assert WorkerSample.objects.count() == before


def test_run_that_was_handed_back_is_queued_again_and_costs_no_try(broker: redis.Redis, run: Run) -> None:
    Run.objects.update(state="running", worker="one")
    keeper.record({"event": "handed_back", "run": run.id, "attempt": 1})
    run.refresh_from_db()
    assert (run.state, run.attempt, run.losses) == ("queued", 2, 0)
