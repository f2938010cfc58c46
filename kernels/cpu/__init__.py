"""The fast path without a GPU or a compiler: torch in chunks, O(n) memory, GEMMs through oneDNN.

Nothing here is tied to the CPU but the choice of GEMM, so operations that have no Triton kernel yet
run this code on CUDA too; `dispatch` then calls it "torch".
"""

from kernels.cpu.attend import attend, attend_and_pool
from kernels.cpu.maps import map_pool, map_tile, visible_pairs
from kernels.cpu.readers import Rows
from kernels.cpu.scores import score_backend
from kernels.cpu.single_edges import map_edges
from kernels.cpu.stats import map_stats, map_summary
from kernels.cpu.whole_rows import map_received, map_top_keys

__all__ = [
    "Rows",
    "attend",
    "attend_and_pool",
    "map_edges",
    "map_pool",
    "map_received",
    "map_stats",
    "map_summary",
    "map_tile",
    "map_top_keys",
    "score_backend",
    "visible_pairs",
]
