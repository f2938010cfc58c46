"""The table of tile sizes: one for each kernel, head width and precision. Checked in, never tuned while running."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from kernels.spec import AttentionSpec

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


Table = dict[Kind, dict[int, Configuration]]  # [kind][width up to]

# What keeps its registers, and its shared memory: 227 KiB a program from Hopper on, 163 on an A100.
HALF: Table = {
    "forward": {
        64: Configuration(128, 128, warps=8, stages=3),
        128: Configuration(128, 128, warps=8),
        256: Configuration(128, 64, warps=8),
    },
    "queries_backward": {64: Configuration(128, 128, warps=8), 128: Configuration(128, 64, warps=8)},
    "keys_backward": {64: Configuration(64, 128, warps=8), 128: Configuration(64, 128, warps=8, stages=1)},
    "tile": {256: Configuration(64, 64)},
    "pool": {128: Configuration(128, 128, warps=8), 256: Configuration(64, 64)},
    "rows": {128: Configuration(128, 128, warps=8), 256: Configuration(64, 64)},
    "columns": {128: Configuration(128, 128, warps=8), 256: Configuration(64, 64)},
    "pairs": {256: Configuration(64, 1)},
    "decode": {128: Configuration(16, 128, stages=3), 256: Configuration(16, 64)},
}

HALF_BEFORE_HOPPER: Table = HALF | {
    "forward": {
        64: Configuration(128, 128, warps=8, stages=3),
        128: Configuration(128, 32, warps=8),
        256: Configuration(64, 64, warps=8),
    },
    "queries_backward": {64: Configuration(128, 64, warps=8), 128: Configuration(64, 64, stages=1)},
    "keys_backward": {64: Configuration(64, 128, warps=8), 128: Configuration(64, 64, warps=8, stages=1)},
}

# float32 has no tensor cores to keep its products out of the registers: more would spill.
SINGLE: Table = {
    "forward": {64: Configuration(32, 32), 128: Configuration(32, 16), 256: Configuration(16, 32)},
    "queries_backward": {64: Configuration(32, 32), 128: Configuration(16, 32)},
    "keys_backward": {64: Configuration(32, 32), 128: Configuration(32, 16)},
    "tile": {256: Configuration(32, 32)},
    "pool": {256: Configuration(32, 32)},
    "rows": {256: Configuration(32, 32)},
    "columns": {256: Configuration(32, 32)},
    "pairs": {256: Configuration(32, 1)},
    "decode": {256: Configuration(16, 32)},
}

HOPPER = (9, 0)


# Fields whose biases are loaded pair by pair: loads that run ahead keep whole tiles of them in shared memory.
LOADED_BY_PAIR = {"t5_bias", "relative_keys", "bias"}
HALF_WITH_LOADS_BY_PAIR: Table = {
    "forward": {128: Configuration(128, 64, warps=8), 256: Configuration(64, 64, warps=8)},
    "queries_backward": {128: Configuration(128, 64, warps=8, stages=1)},
    "keys_backward": {64: Configuration(64, 64, stages=1), 128: Configuration(64, 128, warps=8, stages=1)},
    "pool": {256: Configuration(64, 64, stages=1)},
    "rows": {256: Configuration(64, 64)},
    "columns": {256: Configuration(64, 64)},
}


def configuration(kind: Kind, like: Tensor, width: int, spec: AttentionSpec) -> Configuration:
    """The entry for heads of this width: that of the next width in the table for the dtype and card of `like`."""
    if like.dtype == torch.float32:
        table = SINGLE
    else:
        table = HALF if compute_capability(like.device) >= HOPPER else HALF_BEFORE_HOPPER
        if spec.used & LOADED_BY_PAIR:
            table = table | HALF_WITH_LOADS_BY_PAIR
    return table[kind][min(up_to for up_to in table[kind] if up_to >= width)]


def compute_capability(device: torch.device) -> tuple[int, int]:
    """That of Hopper for the interpreter, which runs on the CPU."""
    return torch.cuda.get_device_capability(device) if device.type == "cuda" else HOPPER
