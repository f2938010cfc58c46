"""Which tokens of two sequences belong together, so that two runs can be read side by side."""

# N tokens of the first sequence

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import numpy.typing as npt

# What stands in a partner's place where a token has none.
NOBODY = -1

# Beyond so many tokens, runs of RUN tokens that both texts have are looked for first: a bit for each pair of tokens
# is kept, 8 MB here.
LONG = 8_000
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

    As many equal tokens as can keep their order pair up: a longest common subsequence. What stands between the same
    neighbours in both, and is as long in both, pairs position by position. What was put in or left out has no partner.

    Raises: ValueError if a pair made by hand leaves a sequence, or names a token twice.
    """
    of_N = np.full(len(a), NOBODY, dtype=np.int64)
    place, other = 0, 0
    for equal, equal_b in [*_equal_tokens(a, b), (len(a), len(b))]:
        if equal - place == equal_b - other:
            of_N[place:equal] = np.arange(other, equal_b)
        of_N[equal : equal + 1] = equal_b
        place, other = equal + 1, equal_b + 1
    _check(by_hand, len(a), len(b))
    for place, partner in by_hand:
        of_N[of_N == partner] = NOBODY
        of_N[place] = partner
    return Partners(of_N)


def _equal_tokens(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of equal tokens, rising on both sides."""
    same = next((at for at, (one, two) in enumerate(zip(a, b, strict=False)) if one != two), min(len(a), len(b)))
    rest_a, rest_b = a[same:], b[same:]
    behind = zip(reversed(rest_a), reversed(rest_b), strict=False)
    last = next((at for at, (one, two) in enumerate(behind) if one != two), min(len(rest_a), len(rest_b)))
    middle_a, middle_b = rest_a[: len(rest_a) - last], rest_b[: len(rest_b) - last]
    find = _longest_common if max(len(middle_a), len(middle_b)) <= LONG else _along_equal_runs
    return [
        *((at, at) for at in range(same)),
        *((same + place, same + other) for place, other in find(middle_a, middle_b)),
        *((len(a) - at, len(b) - at) for at in range(last, 0, -1)),
    ]


def _longest_common(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """A longest common subsequence.

    Source: Hyyrö 2004, "Bit-parallel LCS-length computation revisited". Bit j of row i is 0 where the longest common
        subsequence of a[:i] and b[:j + 1] is longer than that of a[:i] and b[:j].
    """
    holds: dict[Hashable, int] = defaultdict(int)
    for at, token in enumerate(b):
        holds[token] |= 1 << at
    everything = (1 << len(b)) - 1
    rows = [everything]
    for token in a:
        row = rows[-1]
        grows = row & holds.get(token, 0)
        rows.append(((row + grows) | (row - grows)) & everything)
    pairs = []
    i, j = len(a), len(b)
    while i and j:
        if rows[i] >> (j - 1) & 1:
            j -= 1
        elif rows[i - 1] >> (j - 1) & 1:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        else:
            i -= 1
    return pairs[::-1]


def _along_equal_runs(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The same for long texts, nearly: the longest stretches that both have, and within what lies between them a
    longest common subsequence, where that is not long itself.

    Source: Ratcliff and Metzener 1988, "Pattern matching: the Gestalt approach", as in Python's difflib.
    """
    # Runs are rare where single tokens are not, and difflib's time grows with how often each occurs.
    runs_a, runs_b = ([tuple(side[at : at + RUN]) for at in range(len(side) - RUN + 1)] for side in (a, b))
    matches = SequenceMatcher(None, runs_a, runs_b, autojunk=True).get_matching_blocks()
    pairs: list[tuple[int, int]] = []
    place, other = 0, 0
    for start, start_b, size in [*matches[:-1], (len(a), len(b), 0)]:
        between_a, between_b = a[place:start], b[other:start_b]
        if max(len(between_a), len(between_b)) <= LONG:
            pairs += ((place + i, other + j) for i, j in _longest_common(between_a, between_b))
        # The last run of a match reaches into the first of the next.
        cut = max(0, place - start, other - start_b)
        length = size + RUN - 1 - cut if size else 0
        if length > 0:
            pairs += ((start + cut + at, start_b + cut + at) for at in range(length))
            place, other = start + cut + length, start_b + cut + length
    return pairs


def _check(by_hand: Pairs, length: int, other_length: int) -> None:
    for place, partner in by_hand:
        if not (0 <= place < length and 0 <= partner < other_length):
            raise ValueError(f"pairs are of 0:{length} and 0:{other_length}, got {place} and {partner}")
    for side in zip(*by_hand, strict=True):
        if len(set(side)) < len(side):
            raise ValueError(f"each token has one partner, got {list(by_hand)}")
