"""The way out of a worker: number, store and publish a run's events, answer requests, know when to stop.

The stored file is written first and Redis second, so that whatever a viewer has seen can be read again. Redis may be
gone for a while: the run goes on, and viewers read the file.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

import redis

from workers.protocol import archive, frame, keys
from workers.protocol.event import Event
from workers.protocol.events import Failed, Finished, Started

log = logging.getLogger(__name__)

Server = redis.Redis

# Take an attempt once: refused when this attempt or a later one was taken before (a duplicate, a late delivery).
TAKE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', 86400)
return 1
"""

# Append under the attempt that is in force. Entry ids are "SEQ-0", so Redis itself refuses a seq used twice.
APPEND = """
if tonumber(redis.call('GET', KEYS[1]) or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('XADD', KEYS[2], ARGV[2] .. '-0', 'frame', ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return 1
"""


class SupersededError(Exception):
    """A later attempt has this run: another worker's, or the site's own, which cancelled it. Stop, and say nothing."""


@cache
def client(url: str) -> Server:
    """One Redis client a process. redis-py's own socket timeout of 5 s would break every blocking read."""
    return redis.Redis.from_url(url, socket_timeout=None, socket_connect_timeout=5)


def answer(server: Server, token: str, reply: bytes) -> None:
    """Answer one request; an answer that nobody fetches is gone after a minute."""
    with server.pipeline(transaction=False) as pipe:
        pipe.lpush(keys.reply(token), reply)
        pipe.expire(keys.reply(token), keys.REPLY_TTL_S)
        pipe.execute()


class HandedBackError(Exception):
    """This worker was told to end between two steps of a long run, and has saved what is needed to go on."""


class Feed:
    """One attempt of one run, as its task sees it: `publish` events in order, until one is refused."""

    def __init__(self, server: Server, data: Path, run: str, attempt: int) -> None:
        self.run, self.attempt = run, attempt
        self._server = server
        self._append = server.register_script(APPEND)
        run_folder = archive.folder(data, run)
        stored = archive.last(run_folder)
        self._seq = max(stored.seq if stored else 0, self._last_streamed())
        self._archive = archive.ArchiveWriter(run_folder, attempt)

    @classmethod
    def take(cls, server: Server, data: Path, run: str, attempt: int) -> Self | None:
        """The feed of this attempt, or None where it was already taken, or the run has ended under an earlier one."""
        if not server.register_script(TAKE)(keys=[keys.attempt(run)], args=[attempt]):
            return None
        stored = archive.last(archive.folder(data, run))
        if stored is not None and frame.ends_run(stored.frame):
            # A worker that was given up for dead woke up and ended it, or the news of its end was lost.
            _tell_recorder(server, run, attempt, frame.decode(stored.frame).event)
            return None
        try:
            return cls(server, data, run, attempt)
        except FileExistsError:  # Redis was emptied since somebody took it.
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def publish(self, event: Event, arrays: Mapping[str, Any] | None = None) -> None:
        """Number, store and send an event. The last event of a run is on the disk before anybody hears of it.

        Raises: SupersededError when a later attempt has taken over.
        """
        event = replace(event, seq=self._seq + 1)
        data = frame.encode(event, arrays)
        self._archive.append(event.seq, data)
        if event.ends_run:
            self._archive.sync()
        self._seq = event.seq
        ttl_s = keys.ENDED_STREAM_TTL_S if event.ends_run else keys.STREAM_TTL_S
        try:
            accepted = self._append(
                keys=[keys.attempt(self.run), keys.frames(self.run)],
                args=[self.attempt, event.seq, data, ttl_s],
            )
            if accepted and (event.ends_run or isinstance(event, Started)):
                _tell_recorder(self._server, self.run, self.attempt, event)
        except redis.RedisError as error:
            log.warning("run %s: frame %d is stored but could not be sent: %s", self.run, event.seq, error)
            return
        if not accepted:
            raise SupersededError(f"run {self.run}: attempt {self.attempt} is void")

    def hand_back(self) -> None:
        """Tells the recorder that the run is free for the next worker, at once and not when its lease is over."""
        told = {"run": self.run, "attempt": self.attempt, "event": "handed_back"}
        try:
            _add_lifecycle(self._server, told)
        except redis.RedisError as error:
            log.warning("run %s: that it was handed back could not be told, its lease will: %s", self.run, error)

    def check(self) -> None:
        """Nothing is sent; for whoever rests for long between two events.

        Raises: SupersededError when a later attempt has taken over.
        """
        try:
            in_force = cast("bytes | None", self._server.get(keys.attempt(self.run)))
        except redis.RedisError:
            return
        if in_force is not None and float(in_force) > self.attempt:
            raise SupersededError(f"run {self.run}: attempt {self.attempt} is void")

    def _last_streamed(self) -> int:
        newest = cast("list[tuple[bytes, Any]]", self._server.xrevrange(keys.frames(self.run), count=1))
        return int(newest[0][0].split(b"-")[0]) if newest else 0


def _tell_recorder(server: Server, run: str, attempt: int, event: Event) -> None:
    told: dict[str, Any] = {"run": run, "attempt": attempt, "event": event.type}
    match event:
        case Started():
            told |= {"worker": event.worker, "implementation": event.implementation}
        case Finished():
            told |= {"implementation": event.implementation, "timings": event.timings}
        case Failed():
            told |= {"code": event.code, "message": event.message}
    _add_lifecycle(server, told)


def _add_lifecycle(server: Server, told: dict[str, Any]) -> None:
    server.xadd(keys.LIFECYCLE, {"told": json.dumps(told)}, maxlen=keys.LIFECYCLE_LENGTH, approximate=True)
