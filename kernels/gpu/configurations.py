"""The table of tile sizes: one for each kernel, head width and precision. Checked in, never tuned while running."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch

Kind = Literal["forward", "queries_backward", "keys_backward", "tile", "pool", "rows", "columns", "pairs", "decode"]


class Configuration(NamedTuple):
    """Queries and keys of one tile, the warps that share it, and the loads that run ahead."""

    queries: int
    keys: int
    warps: int = 4
    stages: int = 2

    @property
    def launch(self) -> dict[str, Any]:
        return {"num_warps": self.warps, "num_stages": self.stages}


# [kind][width up to]: what keeps its registers and, at 227 KiB a multiprocessor, its shared memory.
HALF: dict[Kind, dict[int, Configuration]] = {
    "forward": {
        64: Configuration(128, 128, warps=8, stages=3),
        128: Configuration(128, 128, warps=8, stages=2),
        256: Configuration(128, 64, warps=8, stages=2),
    },
    "queries_backward": {
        64: Configuration(128, 128, warps=8, stages=2),
        128: Configuration(128, 64, warps=8, stages=2),
    },
    "keys_backward": {
        64: Configuration(64, 128, warps=8, stages=2),
        128: Configuration(64, 128, warps=8, stages=1),
    },
    "tile": {256: Configuration(64, 64)},
    "pool": {128: Configuration(128, 128, warps=8, stages=2), 256: Configuration(64, 64, warps=4, stages=2)},
    "rows": {128: Configuration(128, 128, warps=8, stages=2), 256: Configuration(64, 64, warps=4, stages=2)},
    "columns": {128: Configuration(128, 128, warps=8, stages=2), 256: Configuration(64, 64, warps=4, stages=2)},
    "pairs": {256: Configuration(64, 1)},
    "decode": {128: Configuration(16, 128, warps=4, stages=3), 256: Configuration(16, 64, warps=4, stages=2)},
}

# float32 has no tensor cores to keep its products out of the registers: more would spill.
SINGLE: dict[Kind, dict[int, Configuration]] = {
    "forward": {128: Configuration(32, 32), 256: Configuration(16, 32)},
    "queries_backward": {64: Configuration(32, 32), 128: Configuration(16, 32), 256: Configuration(16, 16)},
    "keys_backward": {64: Configuration(32, 32), 128: Configuration(32, 16), 256: Configuration(16, 16)},
    "tile": {256: Configuration(32, 32)},
    "pool": {256: Configuration(32, 32)},
    "rows": {256: Configuration(32, 32)},
    "columns": {256: Configuration(32, 32)},
    "pairs": {256: Configuration(32, 1)},
    "decode": {256: Configuration(16, 32)},
}


def configuration(kind: Kind, dtype: torch.dtype, width: int) -> Configuration:
    """The entry for heads of this width: that of the next width in the table."""
    table = (SINGLE if dtype == torch.float32 else HALF)[kind]
    return table[min(up_to for up_to in table if up_to >= width)]
