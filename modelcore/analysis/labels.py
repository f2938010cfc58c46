"""What a head does, in one name: the pattern that holds most of its awake weight, if it clearly leads.

Sinks are taken out first (`modelcore.analysis.sinks`): many heads rest on the first token when they have nothing
to do, and would all look alike. "Unclear" is a label. The thresholds were set on heads whose role is known: those that
the cards of the zoo name, and patterns made by hand (tests/modelcore/test_labels.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from modelcore.analysis.measures import Evidence

PATTERNS = ("induction", "previous_token", "next_token", "same", "duplicate_token", "punctuation")
LABELS = (
    *PATTERNS,
    "positional",
    "focused",
    "first_token",
    "special",
    "broad",
    "unclear",
)

# Patterns within one text mean nothing between two.
BETWEEN_TEXTS = ("same", "punctuation")

# A pattern is named when it holds this part of the awake weight …
FOUND_PART = 0.5
# … and this much of all of it, so that a head that rests nearly always is not named by its crumbs …
FOUND_SHARE = 0.12
# … and the next pattern holds this much less of the awake weight.
MARGIN = 0.15
# A head rests when this much of all its weight lies on sinks.
REST_SHARE = 0.6
# A head is broad when its awake weight has this part of the entropy that an even spread would have.
BROAD = 0.85
# Between two texts: the weight lies on so few tokens (e to the entropy) that each row points somewhere.
FOCUSED_TOKENS = 2.0


@dataclass(frozen=True)
class HeadLabel:
    """A head's name, by how much it leads, and how sure that is; both between 0 and 1.

    margin      of a pattern: the share of awake weight by which it leads the next. Of first_token and special: by
                which rest leads wakefulness, of all weight. Of broad and focused: how far it is beyond the threshold,
                as a part of how far it could be. Of unclear: by how much the strongest pattern leads the next.
    confidence  1 - exp(-(n - 1) margin^2 / 4), 0 for unclear: grows with the margin, and with the n rows of which
                the measure could be said, each counted by its awake weight.
                Source: Hoeffding 1963, theorem 2: at most exp(-n margin^2 / 2) is the chance that n independent rows
                show such a lead if there is none. Rows of one text hang together: each counts for half, and one
                alone for nothing.
    """

    name: str
    margin: float = 0.0
    confidence: float = 0.0


def labels_of(evidence: Evidence) -> list[HeadLabel]:
    """The label of every head of a site."""
    return [_label(evidence, head) for head in range(len(evidence.awake))]


def _label(evidence: Evidence, head: int) -> HeadLabel:
    between = evidence.kind == "cross"
    awake = evidence.awake[head]
    candidates = list(_candidates(evidence, head))
    part, lead, name = max(candidates, key=lambda found: (found[0] >= FOUND_PART, found[1]))
    strongest = max(part for part, _, _ in candidates)
    broad, positional = evidence.broad[head], _beyond_chance(evidence, "positional", head)
    awake_rows = evidence.rows["same"][head]
    if _is_found(part, lead, awake):
        return _sure(name, lead, evidence.rows[name][head])
    if broad < BROAD and not between and _is_found(positional, positional - strongest, awake):
        return _sure("positional", positional - strongest, awake_rows)
    if 1 - awake >= REST_SHARE:
        special = evidence.special[head]
        resting = "special" if special > (1 - awake) / 2 else "first_token"
        return _sure(resting, 1 - 2 * awake, evidence.rested[head])
    if broad >= BROAD:
        return _sure("broad", (broad - BROAD) / (1 - BROAD), awake_rows)
    tokens = evidence.tokens[head]
    if between and tokens <= FOCUSED_TOKENS:
        return _sure("focused", (FOCUSED_TOKENS - tokens) / (FOCUSED_TOKENS - 1), awake_rows)
    return HeadLabel("unclear", min(max(lead, 0.0), 1.0))


def _candidates(evidence: Evidence, head: int) -> Iterator[tuple[float, float, str]]:
    """Each pattern with its part of the awake weight, by how much that leads the others, and its name.

    A pattern that can be said of fewer rows holds less of another's: full stops look back at full stops, and yet a
    head whose every row looks at them has a pattern of its own.
    """
    offered = PATTERNS if evidence.kind == "self" else BETWEEN_TEXTS
    names = [name for name in offered if name in evidence.patterns]
    parts = {name: _beyond_chance(evidence, name, head) for name in names}
    rows = {name: evidence.rows[name][head] for name in names}
    for name, part in parts.items():
        others = (parts[one] * min(1.0, rows[one] / max(rows[name], 1e-6)) for one in names if one != name)
        yield part, part - max(others), name


def _beyond_chance(evidence: Evidence, name: str, head: int) -> float:
    """What a pattern holds beyond an even spread, as a part of all that there is beyond it."""
    share = evidence.patterns[name][head]
    chance = evidence.chance[name][head] if name in evidence.chance else 0.0
    return min(1.0, (share - chance) / max(1 - chance, 1e-6))


def _is_found(part: float, lead: float, awake: float) -> bool:
    return part >= FOUND_PART and part * awake >= FOUND_SHARE and lead >= MARGIN


def _sure(name: str, margin: float, rows: float) -> HeadLabel:
    margin = min(max(margin, 0.0), 1.0)
    return HeadLabel(name, margin, 1 - math.exp(-max(rows - 1, 0) * margin**2 / 4))
