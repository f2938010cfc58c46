"""A stack of blocks that runs as a generator: it pauses after every layer."""

# B batch, N tokens, W model width

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from modelcore.config import ModelConfig, StackName
from modelcore.layers.block import Block
from modelcore.layers.context import Context
from modelcore.layers.norm import build_norm
from modelcore.layers.packing import Packing, rows
from modelcore.layers.rotary import RotaryPositions

Result = TypeVar("Result")

# A forward pass that yields the number of each layer once that layer is done, and returns its result.
Layerwise = Generator[int, None, Result]


class Stack(nn.Module):
    """The blocks of an encoder or a decoder, and the positions that all of them share.

    With `recomputes`, what a block needs for its gradient is computed again then and not kept (Chen et al. 2016, arXiv
    1604.06174): of its activations only its input stays in memory. Losses are the same to the last bit, dropout too.
    """

    recomputes = False

    def __init__(self, config: ModelConfig, name: StackName) -> None:
        super().__init__()
        self.name: StackName = name
        stack = config.stack(name)
        self.blocks = nn.ModuleList(Block(config, name, layer) for layer in range(stack.layers))
        self.windowed = [stack.pattern(layer).window is not None for layer in range(stack.layers)]
        self.norm = build_norm(config) if config.final_norm else nn.Identity()
        self.position_bias = None
        if config.position_encoding == "t5":
            self.position_bias = nn.Parameter(torch.empty(config.t5_buckets, stack.heads))
        self.rotary: list[RotaryPositions] = []
        if config.position_encoding == "rotary":
            width = config.head_width(stack)
            self.rotary = [RotaryPositions(config.rotary, width)]
            if config.window_rotary is not None:
                self.rotary.append(RotaryPositions(config.window_rotary, width))

    def layerwise(self, x_BNW: Tensor, context: Context) -> Layerwise[Tensor]:
        """Yields after each block; returns the stack's output (B, N, W). A cache is told of the tokens at the end."""
        tokens = x_BNW.shape[1] if context.packing is None else context.packing.tokens
        length = context.read + tokens
        angles = [rotary.angles(tokens, length, x_BNW.device, context.starts_B) for rotary in self.rotary]
        if context.stream_tap is not None:
            context.stream_tap(self.name, 0, x_BNW)
        for layer, block in enumerate(self.blocks):
            turned = angles[-1 if self.windowed[layer] else 0] if angles else None
            if self.recomputes and torch.is_grad_enabled():
                x_BNW = checkpoint(
                    block, x_BNW, context, angles=turned, t5_bias=self.position_bias, use_reentrant=False
                )
            else:
                x_BNW = block(x_BNW, context, angles=turned, t5_bias=self.position_bias)
            if context.stream_tap is not None:
                context.stream_tap(self.name, layer + 1, x_BNW)
            yield layer
        if context.cache is not None:
            context.cache.advance(tokens)
        return self.norm(x_BNW)


def asked_rows(x_BNW: Tensor, asked_BN: Tensor, packing: Packing | None) -> Tensor:
    """Of a stack's output, packed or not, the tokens that something is asked of, (1, A, W)."""
    asked_N = asked_BN.flatten() if packing is None else asked_BN.flatten()[packing.places_T]
    return rows(x_BNW, asked_N.nonzero().squeeze(1))


def last_asked(asked_BN: Tensor) -> Tensor:
    """Up to which token each text is needed where each token sees only those before it, (B,)."""
    place_N = torch.arange(1, asked_BN.shape[1] + 1, device=asked_BN.device)
    return (asked_BN * place_N).amax(1)


def run_through(steps: Layerwise[Result]) -> Result:
    """Runs a layerwise pass to its end without looking at the pauses."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
