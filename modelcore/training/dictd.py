"""Dictionaries as a dict server keeps them: an index of headwords with the places of their entries, and the entries one
after the other, packed as gzip packs.

Source: dictd's manual, "Database format".
"""

from __future__ import annotations

import gzip
import string
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/usr/share/dictd")
# Numbers are written with these digits, the highest first.
DIGITS = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
# What whoever packed it says of it.
NOTES = ("00-database", "00database")
_VALUES = {digit: value for value, digit in enumerate(DIGITS)}


def is_installed(name: str) -> bool:
    return all(path.is_file() for path in _files(name))


def entries(name: str) -> Iterator[str]:
    """In the order of the file, which is unpacked once, from front to back. Headwords that share an entry give it once.

    Raises: OSError, EOFError, zlib.error, ValueError and KeyError, where it is broken.
    """
    index, packed = _files(name)
    places: set[tuple[int, int]] = set()
    for line in index.read_text(encoding="utf-8").splitlines():
        headword, *written = line.split("\t")[:3]
        start, length = map(_number, written)
        if not headword.startswith(NOTES):
            places.add((start, length))
    with gzip.open(packed) as file:
        for start, length in sorted(places):
            file.seek(start)
            content = file.read(length)
            if len(content) < length:
                raise EOFError(f"it ends within the entry at {start}")
            yield content.decode("utf-8", errors="ignore")


def _files(name: str) -> tuple[Path, Path]:
    return FOLDER / f"{name}.index", FOLDER / f"{name}.dict.dz"


def _number(written: str) -> int:
    value = 0
    for digit in written:
        value = value * len(DIGITS) + _VALUES[digit]
    return value
