"""Public-domain English that Debian packages: the King James Bible and three dictionaries.

apt-get install bible-kjv-text bible-kjv dict-devil dict-jargon dict-gcide
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NoReturn

from modelcore.training import dictd

BIBLE_READER = Path("/usr/bin/bible")
BIBLE_TEXT = Path("/usr/lib/bible.data")


class MissingPackageError(RuntimeError):
    """A text that is not installed; the message names the package that brings it."""


def bible() -> list[str]:
    """The King James Version, one text a chapter."""
    _require(BIBLE_READER, "bible-kjv")
    _require(BIBLE_TEXT, "bible-kjv-text")
    verses = subprocess.run(
        [BIBLE_READER, "-f"], input="gen1:1-rev22:21\n", capture_output=True, text=True, check=True
    ).stdout
    chapters: dict[str, list[str]] = {}
    for verse in verses.splitlines():
        reference, _, sentence = verse.partition(" ")
        chapters.setdefault(reference.partition(":")[0], []).append(sentence.strip())
    return ["\n".join(sentences) for sentences in chapters.values()]


def devils_dictionary() -> list[str]:
    """Ambrose Bierce, The Devil's Dictionary (1911)."""
    return [_unwrapped(entry) for entry in _dictd_entries("devil", "dict-devil")]


def jargon_file() -> list[str]:
    """The Jargon File."""
    return [_unwrapped(entry) for entry in _dictd_entries("jargon", "dict-jargon")]


def webster() -> list[str]:
    """Webster's Revised Unabridged Dictionary (1913): of GCIDE, the entries that come from it alone."""
    entries = []
    for entry in _dictd_entries("gcide", "dict-gcide"):
        sources = set(re.findall(r"\[([^\]]*)\]\s*$", entry, flags=re.MULTILINE))
        if sources == {"1913 Webster"}:
            entries.append(_unwrapped(entry.replace("[1913 Webster]", "")))
    return entries


def _dictd_entries(name: str, package: str) -> list[str]:
    if not dictd.is_installed(name):
        _tell_of(package)
    return list(dictd.entries(name))


def _unwrapped(text: str) -> str:
    """Paragraphs on one line each, the dictionaries' cross-reference braces removed."""
    paragraphs = re.split(r"\n\s*\n", text.replace("{", "").replace("}", ""))
    return "\n".join(filter(None, (" ".join(paragraph.split()) for paragraph in paragraphs)))


def _require(path: Path, package: str) -> None:
    if not path.exists():
        _tell_of(package)


def _tell_of(package: str) -> NoReturn:
    raise MissingPackageError(f"This recipe reads Debian's package {package}; run: apt-get install {package}")
