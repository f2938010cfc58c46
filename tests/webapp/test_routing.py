"""A run goes to the worker that could begin it soonest, in turn between people, and waits for none that is gone."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone

from webapp import dispatch
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.fleet.models import QueueState
from webapp.fleet.routing import Place, choose, steal
from webapp.record import keeper
from webapp.runs import handing_out
from webapp.runs.handing_out import hand_out, line
from webapp.runs.models import Run
from webapp.runs.submit import submit_trace
from workers.protocol import keys
from workers.protocol.fleet import Standing
from workers.protocol.jobs import QUEUE, TraceJob

MB = 1_000_000
IDLE = Place("idle", frozenset(), run_s=0.1, load_bytes_per_s=100 * MB, limit_bytes=1000 * MB)
HAS_IT = replace(IDLE, name="has it", models=frozenset({"prose"}))


@pytest.fixture(autouse=True)
def committed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test's own transaction never commits."""
    monkeypatch.setattr("webapp.runs.submit.transaction.on_commit", lambda send: send())


def beat(broker: redis.Redis, name: str, wanted: str = "working", **told: Any) -> None:
    pulse = {"name": name, "queues": [QUEUE], "running": [], "models": {}, "busy_s": None, "run_s": 0.1}
    standing = Standing(wanted).to_json()  # type: ignore[arg-type]
    broker.set(keys.worker(name), json.dumps({**pulse, "standing": standing, **told}))


def chosen(*places: Place, size_bytes: int = 50 * MB) -> str:
    place = choose("prose", size_bytes, places)
    assert place is not None
    return place.name


def test_worker_that_has_the_model_and_is_idle_comes_first() -> None:
    assert chosen(IDLE, HAS_IT) == "has it"


def test_short_wait_for_the_model_is_better_than_a_long_load_and_a_short_load_than_a_long_wait() -> None:
    busy = replace(HAS_IT, busy_s=0.05, waiting=2)
    assert chosen(IDLE, busy, size_bytes=100 * MB) == "has it"
    assert chosen(IDLE, replace(busy, waiting=40), size_bytes=100 * MB) == "idle"


def test_run_that_takes_longer_than_usual_will_go_on_so() -> None:
    assert chosen(IDLE, replace(HAS_IT, busy_s=60.0), size_bytes=100 * MB) == "idle"


def test_model_that_would_push_another_out_goes_where_there_is_room() -> None:
    full = replace(IDLE, name="full", held_bytes=990 * MB, load_bytes_per_s=110 * MB)
    assert chosen(full, IDLE) == "idle"


def test_pinned_model_goes_to_its_worker_and_a_large_one_only_where_it_fits() -> None:
    pinned = replace(IDLE, name="pinned", pinned=frozenset({"prose"}), waiting=50)
    assert chosen(HAS_IT, pinned) == "pinned"
    small = replace(HAS_IT, fits_bytes=10 * MB)
    assert chosen(small, replace(IDLE, waiting=9)) == "idle"
    assert choose("prose", 0, []) is None


def test_equal_workers_share_models_and_each_model_has_its_place() -> None:
    equals = [replace(IDLE, name=name) for name in "abc"]
    picked = {model: choose(model, MB, equals) for model in map(str, range(30))}
    assert {place.name for place in picked.values() if place} == {"a", "b", "c"}
    assert picked == {model: choose(model, MB, equals[::-1]) for model in picked}


def test_idle_worker_takes_from_one_that_is_late_but_not_for_a_load_that_takes_longer() -> None:
    late = replace(HAS_IT, name="late", busy_s=20.0, waiting=3, held_bytes=50 * MB)
    assert steal([late, IDLE], {"late": "prose"}) == (IDLE, late)
    soon = replace(late, busy_s=0.05, waiting=2)
    assert steal([soon, IDLE], {"late": "prose"}) is None
    assert steal([soon, HAS_IT], {"late": "prose"}) == (HAS_IT, soon), "it has the model"
    assert steal([late], {}) is None


def test_run_is_sent_to_the_worker_that_has_its_model(broker: redis.Redis, checkpoint: Checkpoint) -> None:
    beat(broker, "cold")
    beat(broker, "warm", models={"tiny": "ready"})
    submit_trace(checkpoint, text="a")
    assert (broker.llen(keys.direct("warm")), broker.llen(QUEUE)) == (1, 0)


def test_second_run_of_a_cold_model_follows_the_first(broker: redis.Redis, checkpoint: Checkpoint) -> None:
    """No heartbeat tells of the model yet, and the other worker would load it a second time."""
    for name in ("one", "two"):
        beat(broker, name)
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "size_bytes": 100 * MB})
    checkpoint.refresh_from_db()
    for _ in range(3):
        submit_trace(checkpoint, text="a")
    assert sorted(broker.llen(keys.direct(name)) for name in ("one", "two")) == [0, 3]


def test_drained_and_leaving_workers_and_those_of_an_older_release_are_left_out(
    broker: redis.Redis, checkpoint: Checkpoint
) -> None:
    beat(broker, "drained", "drained", models={"tiny": "ready"})
    beat(broker, "leaving", models={"tiny": "ready"}, leaving=True)
    broker.set(keys.worker("old"), json.dumps({"name": "old", "running": []}))
    submit_trace(checkpoint, text="a")
    assert broker.llen(QUEUE) == 1


def test_what_waits_for_a_worker_that_is_gone_is_taken_back_oldest_first(
    broker: redis.Redis, checkpoint: Checkpoint
) -> None:
    beat(broker, "one")
    runs = [submit_trace(checkpoint, text=f"{n}").id for n in range(3)]
    assert broker.llen(keys.direct("one")) == 3
    broker.delete(keys.worker("one"))
    assert dispatch.balance() == 3
    taken = [dispatch._told(broker.rpop(QUEUE)).run for _ in range(3)]
    assert taken == runs


def test_idle_worker_is_given_what_waits_behind_a_long_run(broker: redis.Redis, checkpoint: Checkpoint) -> None:
    beat(broker, "one")
    for _ in range(2):
        submit_trace(checkpoint, text="a")
    beat(broker, "one", busy_s=30.0)
    beat(broker, "two")
    assert dispatch.balance() == 1
    assert (broker.llen(keys.direct("one")), broker.llen(keys.direct("two"))) == (1, 1)


def test_only_as_many_as_workers_come_to_soon_are_handed_out(broker: redis.Redis, checkpoint: Checkpoint) -> None:
    beat(broker, "one")
    runs = [submit_trace(checkpoint, text="a") for _ in range(handing_out.AHEAD_AT_LEAST + 3)]
    assert dispatch.queue_length(QUEUE) == handing_out.AHEAD_AT_LEAST
    assert len(line(QUEUE)) == 3
    broker.rpop(keys.direct("one"))
    assert hand_out(QUEUE) == 1
    assert [each.run for each in line(QUEUE)] == [run.id for run in runs[-2:]]


def test_people_are_served_in_turn_however_much_one_of_them_asks(
    checkpoint: Checkpoint, sent: list[TraceJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "queue_length", lambda queue: 1000)
    ada, bob = (Person.objects.create(username=name) for name in ("ada", "bob"))
    many = [submit_trace(checkpoint, text="a", owner=ada).id for _ in range(4)]
    one = submit_trace(checkpoint, text="b", owner=bob).id
    guest = submit_trace(checkpoint, text="c", visitor="v").id
    assert [each.run for each in line(QUEUE)] == [many[0], one, guest, *many[1:]]
    Run.objects.filter(pk=many[0]).update(state="running")
    assert [each.run for each in line(QUEUE)][:2] == [one, guest]


def test_short_runs_of_whoever_came_first_do_not_all_go_first(
    checkpoint: Checkpoint, sent: list[TraceJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends before the next is looked up, so that nobody ever has one with the workers."""
    monkeypatch.setattr(dispatch, "queue_length", lambda queue: 1000)
    people = [Person.objects.create(username=name) for name in ("ada", "bob", "cy")]
    runs = {submit_trace(checkpoint, text="a", owner=each).id: each.username for each in people for _ in range(3)}
    order = []
    while waiting := line(QUEUE):
        order.append(runs[waiting[0].run])
        Run.objects.filter(pk=waiting[0].run).update(dispatched_at=timezone.now(), state="finished")
    assert order == ["ada", "bob", "cy"] * 3


def test_run_that_lost_its_worker_is_before_all_others(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "queue_length", lambda queue: 1000)
    runs = [submit_trace(checkpoint, text="a").id for _ in range(3)]
    Run.objects.filter(pk=runs[2]).update(attempt=2)
    assert line(QUEUE)[0].run == runs[2]


def test_paused_queue_hands_nothing_out_and_what_was_handed_out_comes_back(
    broker: redis.Redis, checkpoint: Checkpoint
) -> None:
    beat(broker, "one")
    runs = [submit_trace(checkpoint, text="a").id for _ in range(2)]
    QueueState.objects.create(pk=QUEUE, paused=True)
    assert sorted(dispatch.withdraw(QUEUE)) == sorted(runs)
    Run.objects.update(dispatched_at=None)
    assert hand_out(QUEUE) == 0 and dispatch.queue_length(QUEUE) == 0
    QueueState.objects.update(paused=False)
    assert hand_out(QUEUE) == 2


def test_queued_run_tells_its_place_and_about_how_long_it_waits(
    broker: redis.Redis, client: Client, checkpoint: Checkpoint
) -> None:
    beat(broker, "one", busy_s=1.0, run_s=4.0)
    runs = [submit_trace(checkpoint, text="a") for _ in range(3)]
    told = [client.get(f"/api/v1/runs/{run.id}").json() for run in runs]
    assert [(one["place"], one["wait_s"]) for one in told] == [(0, 3.0), (1, 7.0), (2, 11.0)]


def test_nobody_says_how_long_it_takes_where_nobody_works(
    broker: redis.Redis, client: Client, checkpoint: Checkpoint
) -> None:
    run = submit_trace(checkpoint, text="a")
    assert client.get(f"/api/v1/runs/{run.id}").json()["wait_s"] is None


def test_model_that_no_worker_could_hold_is_refused_with_both_sizes(
    broker: redis.Redis, client: Client, checkpoint: Checkpoint
) -> None:
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "size_bytes": 9_000_000_000})
    ask = {"model": "tiny", "text": "a"}
    assert client.post("/api/v1/runs", ask, content_type="application/json").status_code == 201, "nobody lives yet"
    beat(broker, "one", gauges={"memory_total_bytes": 4_000_000_000, "memory_free_bytes": 1})
    answer = client.post("/api/v1/runs", ask, content_type="application/json")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "model_too_large" and "9.0 GB" in error["message"] and "4.0 GB" in error["message"]


def test_run_whose_sender_died_between_claim_and_broker_is_sent_again(
    broker: redis.Redis, checkpoint: Checkpoint
) -> None:
    run = Run.objects.create(checkpoint=checkpoint, text="a", dispatched_at=timezone.now() - timedelta(seconds=60))
    broker.set(keys.EPOCH, "known")
    keeper.send_waiting()
    run.refresh_from_db()
    assert (run.attempt, dispatch.queue_length(QUEUE)) == (2, 1)
