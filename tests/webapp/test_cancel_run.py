"""Somebody stops a run."""

from __future__ import annotations

import errno
from contextlib import suppress
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client

from tests.webapp.conftest import store
from tests.workers.golden_frames import GOLDEN
from webapp import stream
from webapp.runs.models import Run
from workers.protocol import archive, frame, keys
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


def test_frame_that_comes_while_a_run_is_stopped_does_not_hide_its_end(
    client: Client, run: Run, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writing model sends thirty frames a second; whoever had one with the number of the end waited for ever."""
    feed = Feed.take(broker, settings.DATA, run.id, attempt=1)
    assert feed is not None
    feed.publish(*GOLDEN["started"])
    last, late = archive.last, [GOLDEN["tokens"]]

    def last_before_a_late_frame(*args: Any, **named: Any) -> archive.StoredFrame | None:
        found = last(*args, **named)
        while late:
            with suppress(SupersededError):
                feed.publish(*late.pop())
        return found

    monkeypatch.setattr("workers.protocol.archive.last", last_before_a_late_frame)
    assert stop(client, run) == (200, "cancelled")
    kept = [frame.decode(stored.frame).event for stored in stream.stored_frames(run.id)]
    assert [(event.type, event.seq) for event in kept] == [("started", 1), ("tokens", 2), ("cancelled", 3)]
    sent = [entry for entry, _ in broker.xrange(keys.frames(run.id))]
    assert sent == [b"1-0", b"3-0"]


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
