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

# From here on, tokens that make up more than a hundredth of a text start no match, which else takes quadratic time.
LONG = 2_000

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
    matcher = SequenceMatcher(None, a, b, autojunk=max(len(a), len(b)) > LONG)
    for kind, start, stop, other, other_stop in matcher.get_opcodes():
        if kind == "equal" or (kind == "replace" and stop - start == other_stop - other):
            of_N[start:stop] = np.arange(other, other_stop)
    _check(by_hand, len(a), len(b))
    for place, partner in by_hand:
        of_N[of_N == partner] = NOBODY
        of_N[place] = partner
    return Partners(of_N)


def _check(by_hand: Pairs, length: int, other_length: int) -> None:
    for place, partner in by_hand:
        if not (0 <= place < length and 0 <= partner < other_length):
            raise ValueError(f"pairs are of 0:{length} and 0:{other_length}, got {place} and {partner}")
    for side in zip(*by_hand, strict=True):
        if len(set(side)) < len(side):
            raise ValueError(f"each token has one partner, got {list(by_hand)}")
