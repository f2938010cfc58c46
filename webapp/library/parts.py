"""Writes the bytes of one part to the disk while they arrive, in large pieces, and never more than two in memory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from webapp.library.models import ArrivingFile
from webapp.library.quota import free_bytes

PIECE_BYTES = 4 << 20
# How often the disk's free room is looked at.
LOOK_EVERY_BYTES = 256 << 20
STEP_ASIDE_S = 5.0

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# All uploads of this process share these, a piece at a time. With two threads for each, four uploads made those wait
# twice as long who watch a run, and were only a quarter quicker.
_disk = ThreadPoolExecutor(1, thread_name_prefix="upload-disk")
_checksums = ThreadPoolExecutor(1, thread_name_prefix="upload-checksum")


class BusyError(Exception):
    """Another process is writing this file."""


class TooLongError(Exception):
    """More bytes came than the file has."""


class ChecksumError(Exception):
    """The part's bytes are not those that were sent; none of them are kept."""


class DiskFullError(Exception):
    """What could be written is kept."""


# The requests of this process that are writing, by file. A connection that broke off may take minutes to be noticed,
# so whoever comes next ends it.
_writing: dict[str, asyncio.Task[Any]] = {}


async def write_part(file: ArrivingFile, offset: int, receive: Receive, digest: Any, expected: bytes) -> None:
    """Returns when the part is on the disk for good. What came before a connection broke off is kept as well.

    Raises: BusyError, TooLongError, ChecksumError, DiskFullError; ValueError with the true offset where it is another.
    """
    before = _writing.get(file.id)
    if before is not None:
        before.cancel()
        await asyncio.wait([before], timeout=STEP_ASIDE_S)
    task = asyncio.create_task(_write(file, offset, receive, digest, expected))
    _writing[file.id] = task
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        await asyncio.wait([task])
        if task.cancelled():  # By a newer request for the same file.
            raise BusyError from None
        raise
    finally:
        if _writing.get(file.id) is task:
            del _writing[file.id]


async def _write(file: ArrivingFile, offset: int, receive: Receive, digest: Any, expected: bytes) -> None:
    async with _locked(file) as descriptor:
        there = os.fstat(descriptor).st_size
        if offset != there:
            raise ValueError(there)
        whole = await _copy(descriptor, offset, file.size_bytes, receive, digest)
        if whole and digest is not None and digest.digest() != expected:
            os.ftruncate(descriptor, offset)
            raise ChecksumError
        await asyncio.to_thread(_settle, descriptor)
        if not whole:
            raise BusyError


async def _copy(descriptor: int, offset: int, size: int, receive: Receive, digest: Any) -> bool:
    """Writes one piece while the next arrives. Returns whether the body came to its end."""
    place = looked = offset
    waiting: list[bytes] = []
    waiting_bytes = 0
    writing: asyncio.Future[Any] | None = None
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                break
            body = message.get("body", b"")
            if place + waiting_bytes + len(body) > size:
                raise TooLongError
            if body:
                waiting.append(body)
                waiting_bytes += len(body)
            is_last = not message.get("more_body", False)
            if waiting_bytes >= PIECE_BYTES or is_last:
                if writing is not None:
                    await asyncio.shield(writing)
                if place - looked >= LOOK_EVERY_BYTES:
                    looked = place
                    if not free_bytes():
                        raise DiskFullError
                writing = asyncio.get_running_loop().run_in_executor(_disk, _take, descriptor, waiting, place, digest)
                place, waiting, waiting_bytes = place + waiting_bytes, [], 0
            if is_last:
                await asyncio.shield(writing)  # type: ignore[arg-type]
                return True
        if writing is not None:
            await asyncio.shield(writing)
        _put(descriptor, waiting, place)
        return False
    except asyncio.CancelledError:
        # Threads go on whatever becomes of us, and the next request must find the file at rest.
        if writing is not None:
            with contextlib.suppress(Exception):
                await writing
        raise


def _take(descriptor: int, pieces: list[bytes], place: int, digest: Any) -> None:
    """The checksum is made beside the writing, on another core where there is one: neither holds Python's lock."""
    feeding = _checksums.submit(_feed, digest, list(pieces))
    try:
        _put(descriptor, pieces, place)
    finally:
        feeding.result()


def _feed(digest: Any, pieces: list[bytes]) -> None:
    if digest is not None:
        for piece in pieces:
            digest.update(piece)


def _put(descriptor: int, pieces: list[bytes], place: int) -> None:
    began = place
    try:
        while pieces:
            written = os.pwritev(descriptor, pieces[:512], place)
            place += written
            while pieces and written >= len(pieces[0]):
                written -= len(pieces.pop(0))
            if written:
                pieces[0] = pieces[0][written:]
        _begin_to_settle(descriptor, began, place - began)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError from None
        raise


# Source: sync_file_range(2).
_BEGIN_WRITING = 2
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _begin_to_settle(descriptor: int, place: int, count: int) -> None:
    """Has the kernel write these bytes while the next arrive, so that the end of a part need not wait for all."""
    if _libc is not None:
        _libc.sync_file_range(descriptor, ctypes.c_int64(place), ctypes.c_int64(count), _BEGIN_WRITING)


def _settle(descriptor: int) -> None:
    try:
        os.fdatasync(descriptor)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFullError from None
        raise


@asynccontextmanager
async def _locked(file: ArrivingFile) -> AsyncIterator[int]:
    """The file, opened and ours alone among all processes."""
    try:
        descriptor = os.open(file.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ValueError(0) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield descriptor
    except BlockingIOError:
        raise BusyError from None
    finally:
        os.close(descriptor)
