"""Somebody stops a run."""

from __future__ import annotations

import errno

import pytest
import redis
from django.conf import settings
from django.test import Client

from tests.webapp.conftest import store
from tests.workers.golden_frames import GOLDEN
from webapp import stream
from webapp.runs.models import Run
from workers.protocol import frame
from workers.runtime.feed import Feed, SupersededError


def stop(client: Client, run: Run) -> tuple[int, str]:
    answer = client.post(f"/api/v1/runs/{run.id}/cancel")
    run.refresh_from_db()
    return answer.status_code, run.state


def test_waiting_run_is_stopped_and_cannot_be_taken(client: Client, run: Run, broker: redis.Redis) -> None:
    assert stop(client, run) == (200, "cancelled")
    assert Feed.take(broker, settings.DATA, run.id, attempt=1) is None
    assert [frame.decode(stored.frame).event.type for stored in stream.stored_frames(run.id)] == ["cancelled"]


def test_worker_of_a_stopped_run_is_refused_its_next_frame(client: Client, run: Run, broker: redis.Redis) -> None:
    feed = Feed.take(broker, settings.DATA, run.id, attempt=1)
    assert feed is not None
    feed.publish(*GOLDEN["started"])
    assert stop(client, run) == (200, "cancelled")
    try:
        feed.publish(*GOLDEN["finished"])
        refused = False
    except SupersededError:
        refused = True
    assert refused
    kept = [frame.decode(stored.frame).event for stored in stream.stored_frames(run.id)]
    assert [(event.type, event.seq) for event in kept] == [("started", 1), ("cancelled", 2)]


def test_run_that_has_ended_is_not_stopped(client: Client, run: Run, broker: redis.Redis) -> None:
    store(run, "started", "finished")
    assert stop(client, run)[0] == 409
    Run.objects.update(state="failed")
    assert stop(client, run) == (409, "failed")


def test_stop_is_no_get(client: Client, run: Run) -> None:
    assert client.get(f"/api/v1/runs/{run.id}/cancel").status_code == 405


def test_run_is_stopped_with_its_last_frame_or_not_at_all(
    client: Client, run: Run, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a full disk the row said cancelled, no frame did, and whoever watched waited for ever."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("workers.protocol.archive.ArchiveWriter.append", no_room)
    answer = client.post(f"/api/v1/runs/{run.id}/cancel")
    run.refresh_from_db()
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_away")
    assert (run.state, run.attempt) == ("queued", 1)
