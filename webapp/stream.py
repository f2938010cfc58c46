"""What workers say, as the site reads it: a run's frames from any seq on, replies, heartbeats, lifecycle.

A run's stream is read once per process, by its tail, for all its viewers. A viewer is never pushed to: it takes what
follows its own seq, from the tail's recent frames or, when it has fallen behind or the stream is gone, from the
stored file. So the slowest guest costs one frame of memory, and nobody else's time.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from workers.protocol import archive, frame, keys
from workers.protocol.archive import StoredFrame
from workers.protocol.event import Event
from workers.protocol.jobs import QUEUE

log = logging.getLogger(__name__)

Entries = list[tuple[bytes, list[tuple[bytes, dict[bytes, bytes]]]]]
"""What XREAD gives: for each stream its name and its entries, each an id and fields."""

BRIEF_S = 3.0
RECENT_BYTES = 8 << 20
PAGE = 64
LOOK_AGAIN_S = 2.0
"""How long a viewer waits before it looks at the stored file as well; only an absent Redis makes it wait so long."""


async def follow(run: str, after: int) -> AsyncIterator[bytes]:
    """Every frame of a run beyond `after`, in order and once, until the one that ends it."""
    async with _tail(run) as tail:
        # The file is written before Redis, so it has whatever the tail has not, or no longer, or never got.
        seq, look_in_file = after, False
        while True:
            stored = None if look_in_file else tail.since(seq)
            look_in_file = stored is None
            if stored is None:
                stored = await asyncio.to_thread(_page, run, seq)
            for following, data in stored:
                seq = following
                yield data
                if frame.ends_run(data):
                    return
            if stored:
                continue
            if look_in_file and await asyncio.to_thread(has_ended, run, seq):
                return
            look_in_file = not await tail.wait(seq)


def stored_frames(run: str, after: int = 0) -> Iterator[StoredFrame]:
    """A run's frames as they lie on disk."""
    return archive.read(archive.folder(settings.DATA, run), after)


def has_ended(run: str, seq: int) -> bool:
    """Whether the run's last frame is stored at or before `seq`, so that nothing will follow it."""
    last = archive.last(archive.folder(settings.DATA, run))
    return last is not None and last.seq <= seq and frame.ends_run(last.frame)


async def reply(token: str, timeout_s: float) -> bytes | None:
    """The answer to one request, or None when none came in time."""
    try:
        popped = await _client().blpop([keys.reply(token)], timeout=timeout_s)
    except redis.RedisError as error:
        log.warning("no reply can be read: %s", error)
        return None
    return cast("bytes", popped[1]) if popped else None


def workers(queue: str | None = None) -> list[dict[str, Any]]:
    """The heartbeats of all living workers, or of those that serve a queue; `age_s` is how long ago each came, by the
    broker's clock, as workers' own may be wrong.

    Raises: redis.RedisError where Redis is away.
    """
    server = _sync_client()
    names = list(server.scan_iter(keys.WORKERS, count=1000))
    beats = cast("list[bytes | None]", server.mget(names)) if names else []
    with server.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.pttl(name)
        left_ms = pipe.execute() if names else []
    told = [
        {**json.loads(beat), "age_s": max(0.0, keys.HEARTBEAT_TTL_S - left / 1000) if left > 0 else 0.0}
        for beat, left in zip(beats, left_ms, strict=True)
        if beat
    ]
    # A worker of an older release, which does not say so, serves people.
    return [beat for beat in told if queue is None or queue in beat.get("queues", [QUEUE])]


def living(queue: str) -> list[dict[str, Any]]:
    """The heartbeats of the living workers of a queue; none where Redis is away."""
    try:
        return workers(queue)
    except redis.RedisError:
        return []


def lifecycle(block_s: float) -> list[tuple[str, dict[str, Any]]]:
    """What workers told about their runs since `lifecycle_read` was last called; waits up to `block_s` for it."""
    server = _sync_client()
    read = cast("bytes | None", server.get(keys.LIFECYCLE_READ))
    block_ms = max(1, int(block_s * 1000))
    found = cast("Entries", server.xread({keys.LIFECYCLE: read or b"0-0"}, count=256, block=block_ms))
    entries = found[0][1] if found else []
    return [(entry.decode(), json.loads(fields[b"told"])) for entry, fields in entries]


def lifecycle_read(entry: str) -> None:
    """Remember that everything up to this entry is in the database."""
    _sync_client().set(keys.LIFECYCLE_READ, entry)


def end_run(run: str, attempt: int, ending: Event) -> None:
    """End a run from here: shut out whoever works on an older attempt, and store its last frame under this one.

    A worker is shut out first: a frame that it sent between the reading of the last seq and the writing of the next
    took that seq itself, and whoever watched waited for ever for an end that it seemed to have.

    Raises: OSError where the frame cannot be stored; then nothing has happened, and it may be tried again.
    """
    _put_in_force(run, attempt)
    run_folder = archive.folder(settings.DATA, run)
    try:
        seq, data = _store_end(run_folder, attempt, ending)
    except OSError:
        _put_in_force(run, attempt - 1)
        raise
    try:
        with _sync_client().pipeline(transaction=True) as pipe:
            pipe.xadd(keys.frames(run), {keys.FRAME_FIELD: data}, id=f"{seq}-0")
            pipe.expire(keys.frames(run), keys.ENDED_STREAM_TTL_S)
            pipe.execute()
    except redis.RedisError as error:
        log.warning("run %s: its end is stored but could not be sent: %s", run, error)


# Between two attempts: what the one still says is refused, and the next may be taken. Never lowers what is in force.
VOID = """
if tonumber(redis.call('GET', KEYS[1]) or '0') > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. '.5', 'EX', 86400)
return 1
"""


def void(run: str, attempt: int) -> None:
    """Shut out whoever works on an attempt, before the next one is taken."""
    server = _sync_client()
    try:
        server.register_script(VOID)(keys=[keys.attempt(run)], args=[attempt])
    except redis.RedisError as error:
        log.warning("run %s: attempt %d could not be voided: %s", run, attempt, error)


def _put_in_force(run: str, attempt: int) -> None:
    try:
        _sync_client().set(keys.attempt(run), attempt, ex=86400)
    except redis.RedisError as error:
        log.warning("run %s: attempt %d could not be put in force: %s", run, attempt, error)


def _store_end(run_folder: Path, attempt: int, ending: Event) -> tuple[int, bytes]:
    """Writes the last frame behind all that was written before it; returns its seq and it.

    A worker writes its file before it asks Redis, so one frame more may have come; then the end moves behind it.
    """
    while True:
        last = archive.last(run_folder)
        seq = (last.seq if last else 0) + 1
        data = frame.encode(replace(ending, seq=seq))
        writer = archive.ArchiveWriter(run_folder, attempt)
        try:
            writer.append(seq, data)
            writer.sync()
        except OSError:
            writer.discard()
            raise
        overtaken = archive.last(run_folder, before=attempt)
        if overtaken is None or overtaken.seq < seq:
            writer.close()
            return seq, data
        writer.discard()


class _Tail:
    """One run's newest frames, read from its stream while anybody watches."""

    def __init__(self, run: str) -> None:
        self.viewers = 0
        self._run = run
        self._recent: deque[StoredFrame] = deque()
        self._recent_bytes = 0
        self._grown = asyncio.Event()
        self._task = asyncio.create_task(self._read(), name=f"tail {run}")

    def since(self, seq: int) -> list[StoredFrame] | None:
        """Frames beyond `seq`, or None when they are no longer, or not yet, at hand."""
        if not self._recent or self._recent[0].seq > seq + 1:
            return None
        if self._recent[-1].seq <= seq:
            return []
        return list(islice(self._recent, seq + 1 - self._recent[0].seq, None))

    async def wait(self, seq: int) -> bool:
        """True as soon as the tail has grown beyond `seq`, False when nothing came for LOOK_AGAIN_S."""
        if self._recent and self._recent[-1].seq > seq:
            return True
        try:
            async with asyncio.timeout(LOOK_AGAIN_S):
                return await self._grown.wait()
        except TimeoutError:
            return False

    def stop(self) -> None:
        self._task.cancel()

    async def _read(self) -> None:
        key, last = keys.frames(self._run), "0-0"
        while True:
            try:
                found = cast("Entries", await _client().xread({key: last}, count=PAGE, block=60_000))
            except redis.RedisError as error:
                log.warning("run %s: its stream cannot be read, viewers read the stored file: %s", self._run, error)
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            for entry, fields in found[0][1] if found else ():
                last = entry.decode()
                self._keep(StoredFrame(int(last.split("-")[0]), fields[keys.FRAME_FIELD]))
            grown, self._grown = self._grown, asyncio.Event()
            grown.set()

    def _keep(self, stored: StoredFrame) -> None:
        if self._recent and stored.seq != self._recent[-1].seq + 1:
            self._recent.clear()
            self._recent_bytes = 0
        self._recent.append(stored)
        self._recent_bytes += len(stored.frame)
        while self._recent_bytes > RECENT_BYTES and len(self._recent) > 1:
            self._recent_bytes -= len(self._recent.popleft().frame)


# An event loop has its own client and tails: a connection must not be awaited from another loop.
_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, redis.asyncio.Redis] = WeakKeyDictionary()
_tails: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, _Tail]] = WeakKeyDictionary()


@asynccontextmanager
async def _tail(run: str) -> AsyncIterator[_Tail]:
    tails = _tails.setdefault(asyncio.get_running_loop(), {})
    tail = tails.get(run)
    if tail is None:
        tail = tails[run] = _Tail(run)
    tail.viewers += 1
    try:
        yield tail
    finally:
        tail.viewers -= 1
        if tail.viewers == 0:
            tail.stop()
            tails.pop(run, None)


def _client() -> redis.asyncio.Redis:
    loop = asyncio.get_running_loop()
    if loop not in _clients:
        # redis-py's own socket timeout of 5 s would end every blocking read.
        _clients[loop] = redis.asyncio.Redis.from_url(settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=5)
    return _clients[loop]


@cache
def _sync_client() -> redis.Redis:
    return brief_client()


def brief_client() -> redis.Redis:
    """One that gives up soon, as a broker that hangs must not hang the site. What blocks on purpose blocks for less."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=BRIEF_S,
        socket_connect_timeout=2,
        retry=Retry(NoBackoff(), 1),  # Once, for a connection that has gone stale.
    )


def _page(run: str, after: int) -> list[StoredFrame]:
    return list(islice(stored_frames(run, after), PAGE))
