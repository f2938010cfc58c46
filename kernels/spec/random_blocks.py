"""BigBird's random blocks: which key blocks the queries of each block see, drawn from a seed."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_random_blocks(blocks: int, count: int, seed: int, *, heads: int = 1, causal: bool = False) -> Tensor:
    """For each block of queries `count` different blocks of keys, the same for the same seed everywhere.

    `blocks` is the number of blocks in the keys, ceil(K / AttentionSpec.block). With `causal`, queries draw from
    their own block and those before it, and draw the same however long the text grows; where there are too few,
    the rest lies after them.

    Shapes: [heads, blocks, count], int64, as AttentionSpec.random_blocks takes it.
    Raises: ValueError if there are fewer blocks than are asked for.
    Source: BigBird (arXiv 2007.14062), section 2. The paper's code leaves out blocks that window and global
        tokens hold already; here these may be drawn too, and then count once.
    """
    if not 1 <= count <= blocks:
        raise ValueError(f"count must be within 1:{blocks}, the number of blocks, got {count}")
    generator = torch.Generator().manual_seed(seed)
    if causal:
        row, col = torch.tril_indices(blocks, blocks)
        lot = torch.full((heads, blocks, blocks), 2.0)
        lot[:, row, col] = torch.rand(len(row), heads, generator=generator).T
    else:
        lot = torch.rand(heads, blocks, blocks, generator=generator)
    return lot.argsort(dim=-1, stable=True)[..., :count].contiguous()
