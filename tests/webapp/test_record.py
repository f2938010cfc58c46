"""The recorder keeps the rows true, however often it says the same and whoever has died."""

from __future__ import annotations

import errno
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.utils import timezone

from tests.webapp.conftest import store
from webapp import stream
from webapp.record import keeper
from webapp.record.management.commands import record
from webapp.runs.models import Run
from workers.protocol import archive, frame, keys
from workers.protocol.jobs import TraceJob
from workers.protocol.training_events import Saved
from workers.runtime.feed import Feed, SupersededError

STARTED = {"event": "started", "worker": "interactive1@host", "implementation": "cpu"}
FINISHED = {"event": "finished", "implementation": "cpu", "timings": {"trace_s": 0.5}}


def tell(broker: redis.Redis, run: Run, event: dict[str, Any], attempt: int = 1) -> None:
    broker.xadd(keys.LIFECYCLE, {"told": json.dumps({"run": run.id, "attempt": attempt, **event})})


def beat(broker: redis.Redis, run: Run, attempt: int = 1) -> None:
    pulse = {"name": "interactive1@host", "running": [{"run": run.id, "attempt": attempt}]}
    broker.set(keys.worker("interactive1@host"), json.dumps(pulse))


@pytest.fixture
def late_run(run: Run) -> Run:
    """Running, and its lease is over."""
    past = timezone.now() - timedelta(seconds=1)
    Run.objects.update(state="running", worker="interactive1@host", lease_until=past, dispatched_at=past)
    run.refresh_from_db()
    return run


def test_start_and_end_become_the_row(broker: redis.Redis, run: Run) -> None:
    tell(broker, run, STARTED)
    assert keeper.record_lifecycle(0.01) == 1
    run.refresh_from_db()
    assert (run.state, run.worker) == ("running", "interactive1@host")
    assert run.lease_until is not None and run.lease_until > timezone.now()
    tell(broker, run, FINISHED)
    assert keeper.record_lifecycle(0.01) == 1
    run.refresh_from_db()
    assert (run.state, run.timings, run.lease_until) == ("finished", {"trace_s": 0.5}, None)
    assert keeper.record_lifecycle(0.01) == 0


def test_what_was_read_twice_counts_once(run: Run) -> None:
    keeper.record({"run": run.id, "attempt": 1, **FINISHED})
    run.refresh_from_db()
    ended = run.ended_at
    keeper.record({"run": run.id, "attempt": 1, **STARTED})
    keeper.record({"run": run.id, "attempt": 1, "event": "failed", "code": "x", "message": "y"})
    run.refresh_from_db()
    assert (run.state, run.ended_at, run.error) == ("finished", ended, None)


def test_late_attempt_is_not_believed(run: Run) -> None:
    Run.objects.update(attempt=2)
    keeper.record({"run": run.id, "attempt": 1, **FINISHED})
    run.refresh_from_db()
    assert run.state == "queued"


def test_heartbeat_renews_the_lease(broker: redis.Redis, late_run: Run, sent: list[TraceJob]) -> None:
    beat(broker, late_run)
    keeper.renew_leases()
    keeper.requeue_lost()
    late_run.refresh_from_db()
    assert late_run.state == "running" and not sent


def test_heartbeat_of_an_old_attempt_renews_nothing(broker: redis.Redis, late_run: Run, sent: list[TraceJob]) -> None:
    Run.objects.update(attempt=2)
    beat(broker, late_run, attempt=1)
    keeper.renew_leases()
    keeper.requeue_lost()
    assert [job.attempt for job in sent] == [3]


def test_run_of_a_lost_worker_is_queued_again(late_run: Run, sent: list[TraceJob]) -> None:
    keeper.requeue_lost()
    late_run.refresh_from_db()
    assert (late_run.state, late_run.attempt, late_run.losses) == ("queued", 2, 1)
    assert [(job.run, job.attempt) for job in sent] == [(late_run.id, 2)]
    assert late_run.dispatched_at is not None


def test_run_that_is_queued_again_refuses_its_old_worker_and_takes_the_next(
    broker: redis.Redis, late_run: Run, sent: list[TraceJob], tmp_path: Path
) -> None:
    """Whoever was on it went on until another worker took it, which may be long where none is free."""
    old = Feed.take(broker, tmp_path, late_run.id, 1)
    assert old is not None
    old.check()
    keeper.requeue_lost()
    with old:
        with pytest.raises(SupersededError):
            old.check()
        with pytest.raises(SupersededError):
            old.publish(Saved(step=1))
    again = Feed.take(broker, tmp_path, late_run.id, 2)
    assert again is not None
    stream.void(late_run.id, 1)
    with again:
        again.check()


def test_run_that_ended_unheard_is_not_done_again(late_run: Run, sent: list[TraceJob]) -> None:
    store(late_run, "started", "finished")
    keeper.requeue_lost()
    late_run.refresh_from_db()
    assert late_run.state == "finished" and not sent


def test_run_that_kills_its_workers_is_given_up(broker: redis.Redis, late_run: Run, sent: list[TraceJob]) -> None:
    store(late_run, "started")
    Run.objects.update(losses=settings.ATTEMPTS - 1)
    keeper.requeue_lost()
    late_run.refresh_from_db()
    assert (late_run.state, late_run.error["code"]) == ("failed", "poisoned")
    assert not sent
    last = [frame.decode(stored.frame).event for stored in stream.stored_frames(late_run.id)][-1]
    assert (last.type, last.seq) == ("failed", 2)
    assert broker.xlen(keys.frames(late_run.id)) == 1


def test_what_was_never_sent_is_sent(broker: redis.Redis, run: Run, sent: list[TraceJob]) -> None:
    broker.set(keys.EPOCH, "known")
    keeper.send_waiting()
    keeper.send_waiting()
    assert [(job.run, job.attempt) for job in sent] == [(run.id, 1)]


def test_emptied_broker_is_filled_again(broker: redis.Redis, run: Run, sent: list[TraceJob]) -> None:
    Run.objects.update(dispatched_at=timezone.now())
    keeper.send_waiting()
    assert [(job.run, job.attempt) for job in sent] == [(run.id, 2)]
    keeper.send_waiting()
    assert len(sent) == 1


def test_run_lost_on_its_way_is_sent_again(broker: redis.Redis, run: Run, sent: list[TraceJob]) -> None:
    broker.set(keys.EPOCH, "known")
    Run.objects.update(dispatched_at=timezone.now() - timedelta(seconds=keeper.RESEND_AFTER_S + 1))
    broker.lpush("interactive", "something still waits")
    keeper.send_waiting()
    assert not sent
    broker.delete("interactive")
    keeper.send_waiting()
    assert [job.attempt for job in sent] == [2]


def test_run_that_was_never_sent_is_sent_once_by_an_emptied_broker(
    broker: redis.Redis, run: Run, sent: list[TraceJob]
) -> None:
    """Every first start: it was sent as never sent, and then again as forgotten by the new broker."""
    Run.objects.update(created_at=timezone.now() - timedelta(seconds=5))
    keeper.send_waiting()
    assert [job.attempt for job in sent] == [1]


def test_run_that_ended_unheard_is_not_sent_to_an_emptied_broker(
    broker: redis.Redis, run: Run, sent: list[TraceJob]
) -> None:
    """The broker died with the news of start and end: the run was done again, behind its own end."""
    store(run, "started", "finished")
    Run.objects.update(dispatched_at=timezone.now())
    keeper.send_waiting()
    run.refresh_from_db()
    assert run.state == "finished" and not sent


def test_run_is_given_up_with_its_last_frame_or_not_at_all(
    broker: redis.Redis, late_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the row said failed, no frame did, and whoever watched waited for ever."""
    store(late_run, "started")
    Run.objects.update(losses=settings.ATTEMPTS - 1)
    with monkeypatch.context() as full:
        full.setattr(archive.ArchiveWriter, "append", no_room)
        with pytest.raises(OSError):
            keeper.requeue_lost()
    late_run.refresh_from_db()
    assert (late_run.state, late_run.attempt) == ("running", 1)
    keeper.requeue_lost()
    late_run.refresh_from_db()
    assert (late_run.state, late_run.attempt) == ("failed", 2)
    assert [frame.decode(kept.frame).event.type for kept in stream.stored_frames(late_run.id)] == ["started", "failed"]


def test_recorder_waits_while_the_disk_is_full(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    command = record.Command()
    monkeypatch.setattr(record, "BACK_OFF_S", 0)
    monkeypatch.setattr(record.signal, "signal", lambda *_: None)

    def full_once(block_s: float) -> int:
        command._stop()
        return no_room()

    monkeypatch.setattr(keeper, "record_lifecycle", full_once)
    command.handle()
    assert "No space left" in caplog.text


def no_room(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_last_beat_of_a_dead_worker_is_not_taken_for_a_new_one_each_time(broker: redis.Redis, late_run: Run) -> None:
    """It stays for ten seconds, and each look at it gave the run twenty more: thirty and more until anybody took it."""
    beat(broker, late_run)
    broker.pexpire(keys.worker("interactive1@host"), 1_000)
    keeper.renew_leases()
    late_run.refresh_from_db()
    assert late_run.lease_until is not None
    left_s = (late_run.lease_until - timezone.now()).total_seconds()
    assert left_s < settings.LEASE_S - keys.HEARTBEAT_TTL_S + 2
