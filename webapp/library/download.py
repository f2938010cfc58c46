"""A model's files as a tar, made while it is sent. Source: POSIX.1-2017, "ustar Interchange Format"."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path

from webapp.checkpoints.models import Checkpoint

PIECE_BYTES = 1 << 20
_BLOCK = tarfile.BLOCKSIZE


def length_of(checkpoint: Checkpoint, folder: str) -> int:
    """Of the tar, in bytes. Reads the disk."""
    return sum(len(_header(path, folder)) + _padded(path.stat().st_size) for path in _files(checkpoint)) + 2 * _BLOCK


async def tar_of(checkpoint: Checkpoint, folder: str) -> AsyncIterator[bytes]:
    """Everything lies in one folder of this name. The disk is read beside the event loop."""
    for path in _files(checkpoint):
        yield _header(path, folder)
        size = path.stat().st_size
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield piece
        yield bytes(_padded(size) - size)
    yield bytes(2 * _BLOCK)


def _files(checkpoint: Checkpoint) -> list[Path]:
    return sorted(path for path in Path(checkpoint.path).iterdir() if path.is_file())


def _header(path: Path, folder: str) -> bytes:
    member = tarfile.TarInfo(f"{folder}/{path.name}")
    member.size, member.mode = path.stat().st_size, 0o644
    return member.tobuf(tarfile.PAX_FORMAT)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK
