"""Dictionaries as Debian installs them for a dict server, made for tests."""

from __future__ import annotations

import gzip
from pathlib import Path

from modelcore.training import dictd


def written(number: int) -> str:
    return dictd.DIGITS[number] if number < 64 else written(number // 64) + dictd.DIGITS[number % 64]


def install(folder: Path, entries: dict[str, str], name: str = "freedict-deu-eng") -> None:
    """The index by the alphabet, the entries in the order given."""
    packed, lines = b"", []
    for headword, entry in entries.items():
        content = entry.encode()
        lines.append(f"{headword.casefold()}\t{written(len(packed))}\t{written(len(content))}")
        packed += content
    (folder / f"{name}.index").write_text("\n".join(sorted(lines)) + "\n", encoding="utf-8")
    (folder / f"{name}.dict.dz").write_bytes(gzip.compress(packed))
