"""Uploaded zips of labelled pictures: stored once, as they came, under the hash of their bytes, as pictures are.

archives/3fa9…   the file, whatever it may be; a trainer opens it (`modelcore.training.picture_zip`)
"""

from __future__ import annotations

from pathlib import Path

from workers.protocol import pictures

FOLDER = "archives"


def place(data: Path, archive: str) -> Path:
    """Where a zip lies, or would. Raises: ValueError if this is no id of one."""
    return pictures.place(data, archive, FOLDER)


def store(data: Path, content: bytes) -> str:
    """The id of these bytes, which are on the disk, whole, when this returns. Raises: OSError where it is full."""
    return pictures.store(data, content, FOLDER)


def stored_before(data: Path, moment: float) -> list[Path]:
    """Every file that was last sent before then, in seconds since the epoch; also what was never wholly written."""
    return pictures.stored_before(data, moment, FOLDER)
