"""Which stack attends to which, told by the shape of a map."""

from __future__ import annotations

from collections.abc import Sequence

from modelcore.config import AttentionSite, SiteKind, StackName

Place = tuple[StackName, SiteKind]


def place_of(queries: int, keys: int, lengths: Sequence[int], *, decodes: bool) -> Place | None:
    """The stack and the kind of a map by its shape; None if it is no map from tokens to tokens.

    `lengths`: of the sequences that were read, source before target; they must differ to be told apart.
    """
    if len(lengths) == 1:
        return ("decoder" if decodes else "encoder", "self") if queries == keys == lengths[0] else None
    source, target = lengths
    places: dict[tuple[int, int], Place] = {
        (source, source): ("encoder", "self"),
        (target, target): ("decoder", "self"),
        (target, source): ("decoder", "cross"),
    }
    return places.get((queries, keys))


def may_be(site: AttentionSite, queries: int, keys: int, lengths: Sequence[int]) -> bool:
    """Whether a map of this shape is one of this site, when sequences of these lengths are read."""
    source, target = lengths[0], lengths[-1]
    read_by = source if site.stack == "encoder" else target
    return (queries, keys) == (read_by, source if site.kind == "cross" else read_by)
