"""The one entry to the kernels. Which implementation runs is decided in `choice`, and said.

`attention` makes out and log-sum-exp; with the latter, `maps` makes any part of the map again, and `measures` tells
of it in numbers. Each has a plain twin in `kernels.reference`.
"""

from kernels.dispatch.attention import attend, attend_and_pool, decode
from kernels.dispatch.choice import TRITON_KNOWS, Choice, Implementation, Operation, chosen
from kernels.dispatch.maps import map_pool, map_tile, pool_down, visible_pairs
from kernels.dispatch.measures import map_edges, map_received, map_stats, map_summary, map_top_keys

__all__ = [
    "TRITON_KNOWS",
    "Choice",
    "Implementation",
    "Operation",
    "attend",
    "attend_and_pool",
    "chosen",
    "decode",
    "map_edges",
    "map_pool",
    "map_received",
    "map_stats",
    "map_summary",
    "map_tile",
    "map_top_keys",
    "pool_down",
    "visible_pairs",
]
