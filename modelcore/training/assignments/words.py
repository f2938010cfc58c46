"""Words and their translations, from the dictionaries of FreeDict that Debian brings (package dict-freedict-deu-eng).

A dictionary of a dict server is two files: an index of headwords, each with the place of its entry, and the entries one
after the other, packed as gzip packs. They are read once, from front to back.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from modelcore.training.assignments.found_pairs import FoundPairsAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example

FOLDER = Path("/usr/share/dictd")
NAMES = {"de": "deu", "en": "eng", "fr": "fra"}
# dictd's manual, "Database format": numbers are written with these digits, the highest first.
DIGITS = {
    digit: value for value, digit in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
}
LONGEST_ENTRY = 1 << 16
LONGEST_WORD = 24
# An entry's first line: the headword, then how it is said between slashes and what kind of word it is in brackets.
HEADWORD = re.compile(r"[^/<\[(]*")
# What stands about a translation: its kind, its field, remarks.
REMARKS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}")


class WordsAssignment(FoundPairsAssignment):
    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        source, target = plan.languages.split("-")
        super().__init__(plan, given, read_words(source, target))


def read_words(source: str, target: str, folder: Path | None = None) -> list[Example]:
    """Single words with the first single word that an entry gives, each source once, by the alphabet.

    Raises: PlanError where the dictionary is not installed, or is broken.
    """
    name = f"freedict-{NAMES[source]}-{NAMES[target]}"
    index, entries = ((folder or FOLDER) / f"{name}{ending}" for ending in (".index", ".dict.dz"))
    if not (index.is_file() and entries.is_file()):
        raise PlanError(
            "languages",
            f"This dictionary is not installed where this trains; on Debian, apt-get install dict-{name} brings it.",
        )
    try:
        found: dict[str, str] = {}
        for entry in _entries(index, entries):
            pair = read_entry(entry)
            if pair is not None:
                found.setdefault(*pair)
    except (OSError, EOFError, ValueError, KeyError, zlib.error) as error:
        raise PlanError("languages", f"The dictionary {name} is broken; install it again.") from error
    return [Example(one, other) for one, other in sorted(found.items())]


def read_entry(entry: str) -> tuple[str, str] | None:
    """A word and its translation; None of what is no single word, or begins with something else."""
    headword, _, rest = entry.partition("\n")
    source = HEADWORD.match(headword)[0].strip()  # type: ignore[index]
    line = REMARKS.sub(" ", rest.partition("\n")[0])
    target = " ".join(re.split(r"[,;/]", line)[0].split())
    return (source, target) if _is_word(source) and _is_word(target) else None


def _is_word(text: str) -> bool:
    return text.isalpha() and len(text) <= LONGEST_WORD


def _entries(index: Path, packed: Path) -> Iterator[str]:
    """In the order of the file, so that it is unpacked once. Headwords that share an entry give it once."""
    places: set[tuple[int, int]] = set()
    for line in index.read_text(encoding="utf-8").splitlines():
        _, *written = line.split("\t")[:3]
        start, length = map(_number, written)
        places.add((start, length))
    with gzip.open(packed) as file:
        at = 0
        for start, length in sorted(places):
            if start < at or length > LONGEST_ENTRY:
                continue
            file.seek(start)
            content = file.read(length)
            if len(content) < length:
                raise EOFError(f"ends within the entry at {start}")
            at = start + length
            yield content.decode()


def _number(written: str) -> int:
    value = 0
    for digit in written:
        value = value * len(DIGITS) + DIGITS[digit]
    return value
