"""Uploaded pictures: stored once, as they came, under the hash of their bytes. Nobody but a worker opens one.

pictures/3fa9…   the file, whatever it may be
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

FOLDER = "pictures"
ID = re.compile(r"[0-9a-f]{64}")


def place(data: Path, picture: str, folder: str = FOLDER) -> Path:
    """Where a picture lies, or would. Raises: ValueError if this is no id of one."""
    if not ID.fullmatch(picture):
        raise ValueError(f"{picture[:80]!r} is no picture's id")
    return data / folder / picture


def store(data: Path, content: bytes, folder: str = FOLDER) -> str:
    """The id of these bytes, which are on the disk, whole, when this returns. Raises: OSError where it is full."""
    picture = hashlib.sha256(content).hexdigest()
    target = place(data, picture, folder)
    if target.exists():
        os.utime(target)  # Whoever sends it again is about to use it.
        return picture
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".")
    try:
        with open(handle, "wb") as file:
            file.write(content)
        os.replace(temporary, target)
    except OSError:
        os.unlink(temporary)
        raise
    return picture


def stored_before(data: Path, moment: float, folder: str = FOLDER) -> list[Path]:
    """Every file that was last sent before then, in seconds since the epoch; also what was never wholly written."""
    kept = data / folder
    return [path for path in kept.iterdir() if path.stat().st_mtime < moment] if kept.is_dir() else []
