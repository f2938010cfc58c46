"""What a head does, in one name: the pattern that holds most of its awake weight, if it clearly leads.

Sinks are taken out first (`modelcore.analysis.sinks`): many heads rest on the first token when they have nothing
to do, and would all look alike. "Unclear" is a label. The thresholds were set on heads whose role is known: those that
the cards of the zoo name, and patterns made by hand (tests/modelcore/test_labels.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelcore.analysis.measures import Evidence

# P patterns, O others of them, H heads
Values = npt.NDArray[np.float64]

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
    names = [name for name in _offered(evidence) if name in evidence.patterns]
    parts_PH = np.array([_beyond_chance(evidence, name) for name in names])
    leads_PH = _leads(parts_PH, np.array([evidence.rows[name] for name in names]))
    # The pattern that leads most among those that hold enough, or among all.
    leaders_H = np.where(parts_PH >= FOUND_PART, leads_PH + 2, leads_PH).argmax(axis=0)
    positional_H = _beyond_chance(evidence, "positional")
    return [
        _label(
            evidence,
            head,
            names[leader],
            part=float(parts_PH[leader, head]),
            lead=float(leads_PH[leader, head]),
            positional=float(positional_H[head]),
            strongest=float(parts_PH[:, head].max()),
        )
        for head, leader in enumerate(leaders_H)
    ]


def _label(
    evidence: Evidence, head: int, name: str, *, part: float, lead: float, positional: float, strongest: float
) -> HeadLabel:
    """Of the pattern `name` that leads most; `strongest` is the largest part that any pattern holds."""
    between = evidence.kind == "cross"
    awake = evidence.awake[head]
    broad = evidence.broad[head]
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


def _offered(evidence: Evidence) -> tuple[str, ...]:
    return PATTERNS if evidence.kind == "self" else BETWEEN_TEXTS


def _leads(parts_PH: Values, rows_PH: Values) -> Values:
    """By how much each pattern's part of the awake weight leads the others', [P, H].

    A pattern that can be said of fewer rows holds less of another's: full stops look back at full stops, and yet a
    head whose every row looks at them has a pattern of its own.
    """
    # Of pattern p, how much weight another one o has.
    counts_POH = (rows_PH[None] / rows_PH[:, None].clip(min=1e-6)).clip(max=1)
    others_POH = parts_PH[None] * counts_POH
    others_POH[np.eye(len(parts_PH), dtype=bool)] = -np.inf
    return parts_PH - others_POH.max(axis=1)


def _beyond_chance(evidence: Evidence, name: str) -> Values:
    """What a pattern holds beyond an even spread, as a part of all that there is beyond it, [H]."""
    share_H = np.array(evidence.patterns[name])
    chance_H = np.array(evidence.chance[name]) if name in evidence.chance else np.zeros_like(share_H)
    return ((share_H - chance_H) / (1 - chance_H).clip(min=1e-6)).clip(max=1)


def _is_found(part: float, lead: float, awake: float) -> bool:
    return part >= FOUND_PART and part * awake >= FOUND_SHARE and lead >= MARGIN


def _sure(name: str, margin: float, rows: float) -> HeadLabel:
    margin = min(max(margin, 0.0), 1.0)
    return HeadLabel(name, margin, 1 - math.exp(-max(rows - 1, 0) * margin**2 / 4))
