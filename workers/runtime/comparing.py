"""What all comparisons share: which tokens of the two runs belong together."""

from __future__ import annotations

from functools import lru_cache

from modelcore.analysis.partners import Partners, find_partners
from modelcore.config import AttentionSite, StackName
from workers.protocol.jobs import Sequences

KEPT = 16


def sequences_of(site: AttentionSite) -> tuple[StackName, StackName]:
    """Whose tokens are the rows of a site's maps, and whose are the keys."""
    return site.stack, "encoder" if site.kind == "cross" else site.stack


def partners_of(both: Sequences) -> Partners:
    """Found once for all rectangles that are asked for one after another."""
    return _found(tuple(both.a), tuple(both.b), tuple(both.by_hand))


@lru_cache(KEPT)
def _found(a: tuple[str, ...], b: tuple[str, ...], by_hand: tuple[tuple[int, int], ...]) -> Partners:
    return find_partners(a, b, by_hand)
