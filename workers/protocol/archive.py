"""A run's stored frames: one file an attempt, each frame behind its length and seq.

    runs/RUN/1.frames   | u32 length | u32 seq | frame | u32 length | u32 seq | frame | ...
    runs/RUN/2.frames   a later attempt goes on counting where viewers had got to

A late worker may still be writing its old file. Nobody has to stop it: what it writes at or beyond the first seq of
the next attempt is not read. A frame that was cut off by a crash is not read either.
"""

from __future__ import annotations

import errno
import os
import struct
from collections import deque
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO, NamedTuple

RECORD = struct.Struct("<II")
SUFFIX = ".frames"


class StoredFrame(NamedTuple):
    seq: int
    frame: bytes


def folder(data: Path, run: str) -> Path:
    return data / "runs" / run


class ArchiveWriter:
    """Appends one attempt's frames. Each is handed to the operating system at once, and to the disk by `sync`.

    Raises: FileExistsError where this attempt was written before: an attempt is made once.
        OSError from `append` where the disk is full; what stands before the frame stays readable.
    """

    def __init__(self, run_folder: Path, attempt: int) -> None:
        run_folder.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(run_folder / f"{attempt}{SUFFIX}", "xb", buffering=0)  # noqa: SIM115  (closed by close)

    def append(self, seq: int, frame: bytes) -> None:
        record = RECORD.pack(len(frame), seq) + frame
        before = self._file.tell()
        # A disk that fills up takes a part and says so only by the count; a torn frame would hide all that follow.
        if (written := self._file.write(record)) != len(record):
            self._file.truncate(before)
            self._file.seek(before)
            raise OSError(errno.ENOSPC, f"{written} of {len(record)} bytes were written")

    def sync(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def discard(self) -> None:
        """Close, and forget this attempt, which may then be made again."""
        self._file.close()
        os.unlink(self._file.name)


def read(run_folder: Path, after: int = 0) -> Iterator[StoredFrame]:
    """The stored frames with a seq above `after`, in order, each seq once."""
    attempts = _attempts(run_folder)
    for path, following in zip_longest(attempts, attempts[1:]):
        limit = _first_seq(following) if following else None
        for stored in _read_file(path, after):
            if limit is not None and stored.seq >= limit:
                break
            yield stored


def last(run_folder: Path, before: int | None = None) -> StoredFrame | None:
    """The newest stored frame, None where nothing is stored. Reads the newest attempt's file only.

    Args:
        before: look only at what attempts with a smaller number wrote
    """
    attempts = [path for path in _attempts(run_folder) if before is None or int(path.stem) < before]
    newest = deque(_read_file(attempts[-1], 0) if attempts else (), maxlen=1)
    return newest[0] if newest else None


def _attempts(run_folder: Path) -> list[Path]:
    paths = [path for path in run_folder.glob(f"*{SUFFIX}") if path.stem.isdigit() and _first_seq(path) is not None]
    return sorted(paths, key=lambda path: int(path.stem))


def _first_seq(path: Path) -> int | None:
    return next((stored.seq for stored in _read_file(path, 0)), None)


def _read_file(path: Path, after: int) -> Iterator[StoredFrame]:
    with open(path, "rb") as file:
        while len(record := file.read(RECORD.size)) == RECORD.size:
            length, seq = RECORD.unpack(record)
            if seq <= after:
                file.seek(length, os.SEEK_CUR)
                continue
            frame = file.read(length)
            if len(frame) < length:
                return
            yield StoredFrame(seq, frame)
