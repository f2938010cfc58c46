"""The Triton kernels: attention, and exact readings of its map, on CUDA.

    scores.py            how a tile's scores are made: products, biases and masks of AttentionSpec
    tiles.py             which tiles are made at all, and which of them need a mask
    operands.py          how a head's rows are found in memory
    configurations.py    the checked-in table of tile sizes

    flash_forward.py     out, log-sum-exp, entropy and maximum        flash_backward.py   their gradients
    decode.py            few queries against many keys                attend.py           which of these runs
    map_tile.py          a rectangle of the map                       map_pool.py         its cells
    map_rows.py          measures of rows, sums of columns            map_pairs.py        a list of its entries
    map_stats.py         the measures of a head, made of these

Imports Triton: only where tensors are on CUDA, and in tests. `kernels/cpu` is its twin.
"""

from kernels.gpu.attend import attend
from kernels.gpu.map_pairs import map_edges, map_top_keys
from kernels.gpu.map_pool import map_pool
from kernels.gpu.map_rows import map_received
from kernels.gpu.map_stats import map_stats
from kernels.gpu.map_tile import map_tile

__all__ = ["attend", "map_edges", "map_pool", "map_received", "map_stats", "map_tile", "map_top_keys"]
