"""Staff steers the fleet from the site: by POST, with a token, and never without a line in the log."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone

from webapp import dispatch
from webapp.accounts.models import Person
from webapp.administration import charts
from webapp.checkpoints.models import Checkpoint
from webapp.fleet.models import AuditEntry, Pin, QueueSample, QueueState, Worker, WorkerSample
from webapp.record.fleet_rows import FleetRows
from webapp.runs.handing_out import hand_out
from webapp.runs.models import Run
from workers.protocol import keys
from workers.protocol.fleet import Standing

pytestmark = pytest.mark.django_db
DO, PAGE = "/admin/fleet/do", "/admin/fleet"


@pytest.fixture
def admin() -> Person:
    return Person.objects.create_superuser("ada", "ada@example.org", "correct horse")


@pytest.fixture
def staff(admin: Person) -> Client:
    client = Client()
    client.force_login(admin)
    return client


@pytest.fixture
def worker(broker: redis.Redis) -> Worker:
    beat(broker)
    FleetRows().write()
    return Worker.objects.get(pk="one")


@pytest.fixture(autouse=True)
def committed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webapp.runs.submit.transaction.on_commit", lambda send: send())


def beat(broker: redis.Redis, **told: Any) -> None:
    pulse = {
        **{"name": "one", "queues": ["interactive"], "device": "cpu", "running": [], "models": {"tiny": "ready"}},
        **{"standing": Standing().to_json(), "busy_s": None, "versions": {"torch": "2.13.0"}},
        "gauges": {
            **{"memory_total_bytes": 10**9, "memory_free_bytes": 4 * 10**8, "utilisation": 0.5, "temperature_c": 61.0},
            **{"power_w": 210.0, "disk_free_bytes": 10**12, "disk_total_bytes": 2 * 10**12},
        },
    }
    broker.set(keys.worker("one"), json.dumps({**pulse, **told}), ex=keys.HEARTBEAT_TTL_S)


def orders(broker: redis.Redis) -> list[dict[str, Any]]:
    return [json.loads(order) for order in broker.lrange(keys.worker_orders("one"), 0, -1)]


def standing(broker: redis.Redis) -> Standing:
    return Standing.from_json(json.loads(broker.get(keys.standing("one"))))


def test_staff_sees_workers_queues_jobs_and_what_their_devices_tell(
    staff: Client, worker: Worker, checkpoint: Checkpoint, run: Run
) -> None:
    page = staff.get(PAGE).content.decode()
    for told in ("one", "61 °C", "210 W", "50 %", "torch 2.13.0", "600 MB", "interactive", run.id, "idle", "tiny"):
        assert told in page, told


@pytest.mark.parametrize("address", [PAGE, "/admin/", "/admin/fleet/auditentry/"])
def test_nobody_else_sees_it(client: Client, address: str) -> None:
    assert client.get(address).status_code == 302
    client.force_login(Person.objects.create(username="bob", email="bob@example.org"))
    answer = client.get(address)
    assert answer.status_code in (302, 200) and b"fleet-workers" not in answer.content
    assert client.post(DO, {"action": "pause", "queue": "interactive"}).status_code == 302
    assert not AuditEntry.objects.exists() and not QueueState.objects.filter(paused=True).exists()


def test_link_does_nothing_and_neither_does_another_sites_form(admin: Person, worker: Worker) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin)
    assert strict.get(DO, {"action": "stop", "worker": "one"}).status_code == 405
    assert strict.post(DO, {"action": "stop", "worker": "one"}).status_code == 403
    assert not AuditEntry.objects.exists()


def test_policy_allows_no_inline_script_and_the_page_has_none(staff: Client, worker: Worker) -> None:
    for address in (PAGE, "/admin/", "/admin/accounts/person/add/"):
        answer = staff.get(address)
        assert "script-src 'self'" in answer.headers["content-security-policy"]
        for script in answer.content.decode().split("<script")[1:]:
            head, _, body = script.partition(">")
            # Data in the page is no script: nothing runs it.
            assert not body.partition("</script>")[0].strip() or "application/json" in head, head
        assert b"onclick" not in answer.content


def test_drained_worker_is_told_its_jobs_go_to_others_and_the_log_waits_for_its_answer(
    broker: redis.Redis, staff: Client, worker: Worker
) -> None:
    broker.lpush(keys.direct("one"), "a job")
    staff.post(DO, {"action": "drain", "worker": "one"})
    entry = AuditEntry.objects.get()
    assert (entry.actor_name, entry.action, entry.target) == ("ada@example.org", "drain", "one")
    assert entry.answered_at is None
    assert standing(broker) == Standing("drained", (), entry.pk)
    assert [order["action"] for order in orders(broker)] == ["look"]
    assert broker.lrange("interactive", 0, -1) == [b"a job"]
    beat(broker, standing=standing(broker).to_json())
    FleetRows().write()
    entry.refresh_from_db()
    assert entry.answer == "done"
    staff.post(DO, {"action": "work", "worker": "one"})
    assert standing(broker).wanted == "working"


def test_stopped_workers_run_goes_on_elsewhere_though_no_heartbeat_told_of_it_yet(
    broker: redis.Redis, staff: Client, worker: Worker, run: Run
) -> None:
    beat(broker)
    FleetRows().write()
    Run.objects.update(state="running", worker="one")
    staff.post(DO, {"action": "stop", "worker": "one"})
    run.refresh_from_db()
    assert (run.state, run.attempt, run.losses) == ("queued", 2, 0)
    assert standing(broker).wanted == "stopped"


def test_model_is_evicted_loaded_pinned_and_a_pinned_one_not_evicted(
    broker: redis.Redis, staff: Client, worker: Worker, checkpoint: Checkpoint
) -> None:
    for action in ("evict", "load", "pin", "evict", "unpin"):
        staff.post(DO, {"action": action, "worker": "one", "model": "tiny"})
    entries = list(AuditEntry.objects.order_by("pk"))
    asked = [order for order in orders(broker) if order["action"] != "look"]
    assert [(order["action"], order["order"]) for order in asked] == [("evict", entries[0].pk), ("load", entries[1].pk)]
    assert asked[1]["path"] == checkpoint.path
    assert "pinned" in entries[3].answer
    assert not Pin.objects.exists() and standing(broker).pinned == ()


def test_paused_queue_waits_whole_and_goes_on(broker: redis.Redis, staff: Client, worker: Worker, run: Run) -> None:
    assert hand_out("interactive") == 1
    staff.post(DO, {"action": "pause", "queue": "interactive"})
    run.refresh_from_db()
    assert run.dispatched_at is None and dispatch.queue_length("interactive") == 0
    assert "paused" in staff.get(PAGE).content.decode()
    staff.post(DO, {"action": "resume", "queue": "interactive"})
    run.refresh_from_db()
    assert run.dispatched_at is not None and dispatch.queue_length("interactive") == 1


def test_job_is_cancelled_and_queued_again_but_not_one_that_ended(broker: redis.Redis, staff: Client, run: Run) -> None:
    Run.objects.update(state="running")
    staff.post(DO, {"action": "requeue", "run": run.id})
    run.refresh_from_db()
    assert (run.state, run.attempt) == ("queued", 2)
    staff.post(DO, {"action": "cancel", "run": run.id})
    run.refresh_from_db()
    assert run.state == "cancelled"
    for action in ("cancel", "requeue"):
        staff.post(DO, {"action": action, "run": run.id})
    assert [entry.answer for entry in AuditEntry.objects.order_by("pk")] == [
        *("done", "done", "This run had ended before.", "This run had ended before."),
    ]


def test_stop_of_all_workers_asks_the_password_again(
    broker: redis.Redis, staff: Client, worker: Worker, run: Run
) -> None:
    Run.objects.update(state="running")
    for password in ("", "wrong"):
        staff.post(DO, {"action": "stop-all", "password": password})
    worker.refresh_from_db()
    run.refresh_from_db()
    assert (worker.wanted, run.state) == ("working", "running")
    assert "password is not right" in AuditEntry.objects.first().answer
    staff.post(DO, {"action": "stop-all", "password": "correct horse"})
    worker.refresh_from_db()
    run.refresh_from_db()
    assert (worker.wanted, run.state, run.attempt) == ("stopped", "queued", 2)
    assert "correct horse" not in str(list(AuditEntry.objects.values_list("details", "answer", "target")))


@pytest.mark.parametrize(
    "given",
    [
        {"action": "nothing"},
        {"action": "drain", "worker": "nobody"},
        {"action": "pause", "queue": "nothing"},
        {"action": "cancel", "run": "nothing"},
        {"action": "pin", "worker": "one", "model": "nothing"},
    ],
)
def test_what_there_is_not_is_refused_in_words(staff: Client, worker: Worker, given: dict[str, str]) -> None:
    page = staff.post(DO, given, follow=True).content.decode()
    assert given["action"] == "nothing" or "There is no such" in page


def test_order_to_a_worker_that_is_away_is_refused_and_a_wish_waits_for_it(
    broker: redis.Redis, staff: Client, worker: Worker
) -> None:
    Worker.objects.update(seen_at=timezone.now() - timedelta(minutes=5))
    page = staff.post(DO, {"action": "evict", "worker": "one", "model": "tiny"}, follow=True).content.decode()
    assert "is away" in page
    staff.post(DO, {"action": "drain", "worker": "one"})
    assert "to be drained" in staff.get(PAGE).content.decode()


def test_act_is_written_down_also_while_the_broker_is_away(
    staff: Client, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(dispatch, "command", away)
    page = staff.post(DO, {"action": "drain", "worker": "one"}, follow=True).content.decode()
    assert "The broker is away" in page
    worker.refresh_from_db()
    assert worker.wanted == "drained", "the recorder tells it when the broker is back"


def test_page_warns_of_what_people_would_tell_later(
    broker: redis.Redis, staff: Client, worker: Worker, run: Run, settings: Any
) -> None:
    assert "None. Everybody works" not in staff.get(PAGE).content.decode(), "nobody trains"
    QueueState.objects.filter(pk="interactive").update(oldest_s=1000.0, waiting=3)
    Run.objects.create(checkpoint=run.checkpoint, text="a")
    for _ in range(3):
        Run.objects.create(state="failed", ended_at=timezone.now(), error={"code": "internal", "message": ""})
    low = {"disk_free_bytes": 10**6, "disk_total_bytes": 10**12, "memory_total_bytes": 1, "memory_free_bytes": 1}
    Worker.objects.update(pulse={**worker.pulse, "gauges": low, "host": "gpu-box"})
    AuditEntry.objects.create(actor_name="ada", action="evict", target="one tiny", worker="one")
    AuditEntry.objects.update(at=timezone.now() - timedelta(minutes=1))
    page = staff.get(PAGE).content.decode()
    for told in ("People wait long", "Runs fail:", "The disk is nearly full", "gpu-box", "No answer came to:"):
        assert told in page, told
    QueueState.objects.update(looked_at=timezone.now() - timedelta(minutes=10))
    assert "The recorder is silent." in staff.get(PAGE).content.decode()


def test_load_of_days_is_drawn_with_its_gaps(staff: Client, worker: Worker) -> None:
    now = timezone.now()
    for hours in (1, 2, 3, 20):
        WorkerSample.objects.create(worker=worker, at=now - timedelta(hours=hours), utilisation=0.5)
        QueueSample.objects.create(
            queue="train", at=now - timedelta(hours=hours), waiting=hours, running=0, workers=1, oldest_s=0
        )
    waiting, busy, memory = charts.charts(timedelta(days=1))
    (line,) = [line for line in waiting.lines if line.label == "train"]
    assert (waiting.top, len(line.strokes)) == (20.0, 5), "four of then, and one of now"
    assert busy.lines[0].label == "one" and memory.top == 1.0
    page = staff.get(f"{PAGE}?days=7").content.decode()
    assert "<polyline" in page and 'aria-current="page"' in page


def test_what_lived_before_a_restart_is_shown_after_it_without_broker_or_worker(
    broker: redis.Redis, staff: Client, worker: Worker
) -> None:
    staff.post(DO, {"action": "drain", "worker": "one"})
    broker.flushall()
    page = staff.get(PAGE).content.decode()
    assert "one" in page and "drain one" in page and "61 °C" in page


def test_runs_of_staff_are_read_only_and_texts_stay_peoples_own(staff: Client, run: Run) -> None:
    page = staff.get(f"/admin/runs/run/{run.id}/change/").content.decode()
    assert run.id in page and "🙂" not in page
    assert staff.post(f"/admin/runs/run/{run.id}/delete/", {"post": "yes"}).status_code == 403
