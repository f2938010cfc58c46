"""A stack of blocks that runs as a generator: it pauses after every layer."""

# B batch, N tokens, K keys, W model width, V vocabulary

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from torch import Tensor, nn

from modelcore.config import ModelConfig, StackName
from modelcore.layers.attention import Tap
from modelcore.layers.block import Block

Result = TypeVar("Result")

# A forward pass that yields the number of each layer once that layer is done, and returns its result.
Layerwise = Generator[int, None, Result]


class Stack(nn.Module):
    """The blocks of an encoder or a decoder; pre-norm stacks end with one more LayerNorm."""

    def __init__(self, config: ModelConfig, name: StackName) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config, name, layer) for layer in range(config.stack(name).layers))
        ends_normed = config.norm_placement == "pre"
        self.norm = nn.LayerNorm(config.width, eps=config.norm_epsilon) if ends_normed else nn.Identity()

    def layerwise(
        self,
        x_BNW: Tensor,
        *,
        lengths_B: Tensor | None = None,
        memory_BKW: Tensor | None = None,
        memory_lengths_B: Tensor | None = None,
        tap: Tap | None = None,
    ) -> Layerwise[Tensor]:
        """Yields after each block; returns the stack's output (B, N, W)."""
        for layer, block in enumerate(self.blocks):
            x_BNW = block(x_BNW, lengths_B=lengths_B, memory_BKW=memory_BKW, memory_lengths_B=memory_lengths_B, tap=tap)
            yield layer
        return self.norm(x_BNW)


def run_through(steps: Layerwise[Result]) -> Result:
    """Runs a layerwise pass to its end without looking at the pauses."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
