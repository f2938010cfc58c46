"""One block of a stack: self-attention, cross-attention where there is an encoder, feed-forward."""

# B batch, Q queries, K keys, W model width

from __future__ import annotations

from torch import Tensor, nn

from modelcore.config import AttentionSite, ModelConfig, StackName
from modelcore.layers.attention import Attention, Tap
from modelcore.layers.feedforward import FeedForward
from modelcore.layers.norm import Residual


class Block(nn.Module):
    """A block of the encoder, or of the decoder of either architecture."""

    def __init__(self, config: ModelConfig, stack_name: StackName, layer: int) -> None:
        super().__init__()
        stack = config.stack(stack_name)
        decodes = stack_name == "decoder"
        self.self_attention = Attention(
            AttentionSite(stack_name, "self", layer), config.width, stack.heads, causal=decodes
        )
        self.self_attention_residual = Residual(config)
        self.attends_encoder = decodes and config.encoder is not None
        if self.attends_encoder:
            self.cross_attention = Attention(
                AttentionSite("decoder", "cross", layer), config.width, stack.heads, causal=False
            )
            self.cross_attention_residual = Residual(config)
        self.feedforward = FeedForward(config.width, stack.feedforward_width, config.activation)
        self.feedforward_residual = Residual(config)

    def forward(
        self,
        x_BQW: Tensor,
        *,
        lengths_B: Tensor | None = None,
        memory_BKW: Tensor | None = None,
        memory_lengths_B: Tensor | None = None,
        tap: Tap | None = None,
    ) -> Tensor:
        """`lengths` and `memory_lengths` count what is no padding in `x` and in the encoder's output."""
        x_BQW = self.self_attention_residual(x_BQW, lambda x: self.self_attention(x, key_lengths_B=lengths_B, tap=tap))
        if self.attends_encoder:
            x_BQW = self.cross_attention_residual(
                x_BQW, lambda x: self.cross_attention(x, memory_BKW, key_lengths_B=memory_lengths_B, tap=tap)
            )
        return self.feedforward_residual(x_BQW, self.feedforward)
