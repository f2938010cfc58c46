"""Which tokens of two sequences belong together, so that two runs can be read side by side."""

# N tokens of the first sequence

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt

# What stands in a partner's place where a token has none.
NOBODY = -1

# Beyond so many tokens runs of RUN tokens are looked for first: each of them is rare, single tokens are not, and
# difflib's time grows with how often each occurs.
LONG = 1_000
RUN = 6

Pairs = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Partners:
    """For each token of the first sequence the place of its partner in the second, NOBODY where it has none. [N]"""

    of_N: npt.NDArray[np.int64]

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Both places of each pair, in the order of the first sequence."""
        return [(int(place), int(self.of_N[place])) for place in np.flatnonzero(self.of_N != NOBODY)]


def find_partners(a: Sequence[Hashable], b: Sequence[Hashable], by_hand: Pairs = ()) -> Partners:
    """Pairs the tokens of two sequences; what is paired by hand stands, and the rest gives way to it.

    Equal tokens pair up along the longest runs that both have, and a run that stands between the same neighbours in
    both and is as long in both pairs position by position. What was put in or left out has no partner.

    Source: Ratcliff and Metzener 1988, "Pattern matching: the Gestalt approach", as in Python's difflib.
    Raises: ValueError if a pair made by hand leaves a sequence, or names a token twice.
    """
    of_N = np.full(len(a), NOBODY, dtype=np.int64)
    place, other = 0, 0
    for start, start_b, length in [*_equal_runs(a, b), (len(a), len(b), 0)]:
        if start - place == start_b - other:
            of_N[place:start] = np.arange(other, start_b)
        of_N[start : start + length] = np.arange(start_b, start_b + length)
        place, other = start + length, start_b + length
    _check(by_hand, len(a), len(b))
    for place, partner in by_hand:
        of_N[of_N == partner] = NOBODY
        of_N[place] = partner
    return Partners(of_N)


def _equal_runs(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int, int]]:
    """Where tokens are equal, in order: the first place in either sequence, and how many there are."""
    if max(len(a), len(b)) <= LONG:
        return [(*match,) for match in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks() if match.size]
    runs_a, runs_b = ([tuple(side[at : at + RUN]) for at in range(len(side) - RUN + 1)] for side in (a, b))
    matches = SequenceMatcher(None, runs_a, runs_b, autojunk=True).get_matching_blocks()
    found: list[tuple[int, int, int]] = []
    place, other = 0, 0
    for start, start_b, size in [*matches[:-1], (len(a), len(b), 0)]:
        # The last run of a match reaches into the first of the next.
        cut = max(0, place - start, other - start_b)
        length = size + RUN - 1 - cut if size else 0
        found += _between(a, b, range(place, max(place, start)), range(other, max(other, start_b)))
        if length > 0:
            found.append((start + cut, start_b + cut, length))
            place, other = start + cut + length, start_b + cut + length
    return found


def _between(a: Sequence[Hashable], b: Sequence[Hashable], in_a: range, in_b: range) -> list[tuple[int, int, int]]:
    """The same of what lies between two matches of a long text; nothing where that is long itself."""
    if max(len(in_a), len(in_b)) > LONG:
        return []
    inner = _equal_runs(a[in_a.start : in_a.stop], b[in_b.start : in_b.stop])
    return [(in_a.start + start, in_b.start + start_b, length) for start, start_b, length in inner]


def _check(by_hand: Pairs, length: int, other_length: int) -> None:
    for place, partner in by_hand:
        if not (0 <= place < length and 0 <= partner < other_length):
            raise ValueError(f"pairs are of 0:{length} and 0:{other_length}, got {place} and {partner}")
    for side in zip(*by_hand, strict=True):
        if len(set(side)) < len(side):
            raise ValueError(f"each token has one partner, got {list(by_hand)}")
