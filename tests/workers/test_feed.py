"""A feed numbers, stores and sends; only the attempt in force is heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import redis

from workers.protocol import archive, frame, keys
from workers.protocol.events import Failed, Finished, Started
from workers.runtime.feed import Feed, SupersededError

STARTED = Started(run="r", attempt=1, model="m", worker="w", device="cpu", dtype="float32", implementation="cpu")
FINISHED = Finished(implementation="cpu", timings={"trace_s": 0.5})


def taken(broker: redis.Redis, data: Path, attempt: int = 1) -> Feed:
    feed = Feed.take(broker, data, "r", attempt)
    assert feed is not None
    return feed


def streamed(broker: redis.Redis) -> list[int]:
    entries = broker.xrange(keys.frames("r"))
    numbers = [int(entry.split(b"-")[0]) for entry, _ in entries]
    assert numbers == [frame.decode(fields[b"frame"]).event.seq for _, fields in entries]
    return numbers


def test_events_are_numbered_stored_and_sent(broker: redis.Redis, tmp_path: Path) -> None:
    feed = taken(broker, tmp_path)
    feed.publish(STARTED)
    feed.publish(FINISHED)
    assert streamed(broker) == [1, 2]
    assert [stored.seq for stored in archive.read(archive.folder(tmp_path, "r"))] == [1, 2]
    assert 0 < broker.ttl(keys.frames("r")) <= keys.ENDED_STREAM_TTL_S


def test_recorder_hears_of_start_and_end(broker: redis.Redis, tmp_path: Path) -> None:
    feed = taken(broker, tmp_path)
    feed.publish(STARTED)
    feed.publish(Failed(code="empty_text", message="Type something."))
    told = [json.loads(fields[b"told"]) for _, fields in broker.xrange(keys.LIFECYCLE)]
    assert [(one["event"], one["run"], one["attempt"]) for one in told] == [("started", "r", 1), ("failed", "r", 1)]
    assert told[1]["message"] == "Type something."


@pytest.mark.parametrize("attempt", [1, 2])
def test_attempt_is_taken_once(broker: redis.Redis, tmp_path: Path, attempt: int) -> None:
    taken(broker, tmp_path, 2)
    assert Feed.take(broker, tmp_path, "r", attempt) is None


def test_attempt_is_not_taken_twice_after_redis_was_emptied(broker: redis.Redis, tmp_path: Path) -> None:
    taken(broker, tmp_path)
    broker.flushall()
    assert Feed.take(broker, tmp_path, "r", 1) is None


def test_later_attempt_counts_on_and_shuts_the_earlier_out(broker: redis.Redis, tmp_path: Path) -> None:
    first = taken(broker, tmp_path, 1)
    first.publish(STARTED)
    second = taken(broker, tmp_path, 2)
    with pytest.raises(SupersededError):
        first.publish(FINISHED)
    second.publish(STARTED)
    second.publish(FINISHED)
    assert streamed(broker) == [1, 2, 3]
    kept = [frame.decode(stored.frame).event for stored in archive.read(archive.folder(tmp_path, "r"))]
    assert [event.type for event in kept] == ["started", "started", "finished"]


def test_run_goes_on_while_redis_is_away(broker: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    feed = taken(broker, tmp_path)

    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(feed, "_append", away)
    feed.publish(STARTED)
    feed.publish(FINISHED)
    assert [stored.seq for stored in archive.read(archive.folder(tmp_path, "r"))] == [1, 2]


def test_run_that_ended_under_an_earlier_attempt_is_not_done_again(broker: redis.Redis, tmp_path: Path) -> None:
    """A worker stood still beyond its lease, woke up, ended the run, and then took its next attempt too."""
    first = taken(broker, tmp_path, 1)
    first.publish(STARTED)
    first.publish(FINISHED)
    assert Feed.take(broker, tmp_path, "r", 2) is None
    told = [json.loads(fields[b"told"]) for _, fields in broker.xrange(keys.LIFECYCLE)]
    assert [(one["event"], one["attempt"]) for one in told] == [("started", 1), ("finished", 1), ("finished", 2)]
    assert [stored.seq for stored in archive.read(archive.folder(tmp_path, "r"))] == [1, 2]
