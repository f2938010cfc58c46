"""A real parallel corpus without a download: the translations that Django brings along for its own pages.

The installed package's files are read where they lie, and nothing of it is imported.
"""

from __future__ import annotations

import importlib.util
import re
import struct
from pathlib import Path

from modelcore.training.assignments.found_pairs import FoundPairsAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example

PACKAGE = "django"
# GNU gettext's manual, "The Format of GNU MO Files": the number that a file begins with, in the order of its bytes.
MAGIC = 0x950412DE
CONTEXT, PLURAL = "\x04", "\x00"
# %s, %(name)d, {name}, &nbsp; and <b>: what no language has words for.
FILLED_IN = re.compile(r"%(\([^)]*\))?[-#0 +]*\d*(\.\d+)?[a-zA-Z%]|\{[^{}]*\}|&\w+;|<[^<>]*>")


class CatalogsAssignment(FoundPairsAssignment):
    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        super().__init__(plan, given, read_catalogs(*plan.languages.split("-")))


def read_catalogs(source: str, target: str) -> list[Example]:
    """Each source once, in an order that does not change. One of the languages is English, which catalogs start from.

    Raises: PlanError where the package is not installed, or brings none for this language.
    """
    language = target if source == "en" else source
    found: dict[str, str] = {}
    for file in _files(language):
        for english, translated in read_mo(file.read_bytes()):
            pair = (english, translated) if source == "en" else (translated, english)
            found.setdefault(*pair)
    return [Example(one, other) for one, other in sorted(found.items())]


def _files(language: str) -> list[Path]:
    specification = importlib.util.find_spec(PACKAGE)
    if specification is None or specification.origin is None:
        raise PlanError(
            "assignment", "Django is not installed where this trains, and its catalogs are what is learned; install it."
        )
    files = sorted(Path(specification.origin).parent.glob(f"**/locale/{language}/LC_MESSAGES/django.mo"))
    if not files:
        raise PlanError("languages", f"The Django that is installed here brings no catalogs for {language!r}.")
    return files


def read_mo(content: bytes) -> list[tuple[str, str]]:
    """Of a compiled catalog the messages of one sentence, those with a context, plurals and mere formats left out.

    Source: GNU gettext's manual, "The Format of GNU MO Files".
    Raises: PlanError.
    """
    try:
        order = next(order for order in "<>" if struct.unpack_from(f"{order}I", content)[0] == MAGIC)
        count, originals, translations = struct.unpack_from(f"{order}3I", content, 8)
        table = [
            tuple(_text(content, order, start + 8 * place) for start in (originals, translations))
            for place in range(count)
        ]
    except (StopIteration, struct.error, UnicodeDecodeError) as error:
        raise PlanError("assignment", "A catalog of the installed Django is broken; install it again.") from error
    return [(_in_one_line(one), _in_one_line(other)) for one, other in table if _says_something(one, other)]


def _text(content: bytes, order: str, place: int) -> str:
    length, start = struct.unpack_from(f"{order}2I", content, place)
    return content[start : start + length].decode()


def _says_something(english: str, translated: str) -> bool:
    """A plural's forms are told apart by a number that is filled in; a context is what a word alone does not tell."""
    if PLURAL in english or CONTEXT in english or not english:
        return False
    return all(sum(map(str.isalpha, FILLED_IN.sub("", text))) >= 2 for text in (english, translated))


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
