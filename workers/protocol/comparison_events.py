"""The events of a comparison of two runs; `events.py` has those of other runs, and the same holds as there."""

from __future__ import annotations

from dataclasses import dataclass

from workers.protocol.event import ArraySpec, Event


@dataclass(frozen=True, kw_only=True)
class Comparison(Event):
    """Two runs compared over the sites that both have: how far each head changed from the first to the second.

    Heads stand one after another, heads[i] of sites[i]; `distance` is NaN where no row could be compared. Of each head
    the rows that changed most, by their place in the first run, -1 where there is none, with their strongest shared
    key in either run, sinks left out. `rows_read` of `rows_shared` rows of each site were read. Pairs are the places
    of tokens that belong together, the first run's and the second's.
    """

    type = "comparison"
    arrays = {
        "distance": ArraySpec("f32", ("heads",)),
        "row": ArraySpec("i32", ("heads", "k")),
        "row_distance": ArraySpec("f32", ("heads", "k")),
        "key_a": ArraySpec("i32", ("heads", "k")),
        "weight_a": ArraySpec("f32", ("heads", "k")),
        "key_b": ArraySpec("i32", ("heads", "k")),
        "weight_b": ArraySpec("f32", ("heads", "k")),
        "encoder_pairs": ArraySpec("i32", ("n", "2")),
        "decoder_pairs": ArraySpec("i32", ("n", "2")),
    }
    sites: list[str]
    heads: list[int]
    rows_read: list[int]
    rows_shared: list[int]
    implementation: str


@dataclass(frozen=True, kw_only=True)
class Difference(Event):
    """Weights of a second run's map less those of the first's, on a rectangle of the first; NaN where a row or a key
    has no partner in the second. With cell > 1 the value furthest from 0 of every cell x cell tokens.
    """

    type = "difference"
    arrays = {"weights": ArraySpec("f32", ("rows", "cols"))}
    site: str
    head: int
    rows: list[int]
    cols: list[int]
    cell: int
    implementation: str
