"""Words and their translations, from the dictionaries of FreeDict that Debian brings (dict-freedict-deu-eng, …)."""

from __future__ import annotations

import re
import zlib

from modelcore.training import dictd
from modelcore.training.assignments.found_pairs import FoundPairsAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.tasks import Example

NAMES = {"de": "deu", "en": "eng", "fr": "fra"}
LONGEST_WORD = 24
# An entry's first line: the headword, then how it is said between slashes and what kind of word it is in brackets.
HEADWORD = re.compile(r"[^/<\[(]*")
# What stands about a translation: its kind, its field, remarks.
REMARKS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}")


class WordsAssignment(FoundPairsAssignment):
    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        source, target = plan.languages.split("-")
        super().__init__(plan, given, read_words(source, target))


def read_words(source: str, target: str) -> list[Example]:
    """Single words with the first single word that an entry gives, each source once, by the alphabet.

    Raises: PlanError where the dictionary is not installed, or is broken.
    """
    name = f"freedict-{NAMES[source]}-{NAMES[target]}"
    if not dictd.is_installed(name):
        raise PlanError(
            "languages",
            f"This dictionary is not installed where this trains; on Debian, apt-get install dict-{name} brings it.",
        )
    try:
        found: dict[str, str] = {}
        for entry in dictd.entries(name):
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
