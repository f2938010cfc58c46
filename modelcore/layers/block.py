"""One block of a stack: self-attention, cross-attention where there is an encoder, feed-forward."""

# B batch, N tokens, W model width

from __future__ import annotations

from torch import Tensor, nn

from modelcore.config import AttentionSite, ModelConfig, StackName
from modelcore.layers.attention import Attention
from modelcore.layers.context import Context
from modelcore.layers.experts import MixtureOfExperts
from modelcore.layers.feedforward import FeedForward
from modelcore.layers.norm import Residual
from modelcore.layers.rotary import Angles


class Block(nn.Module):
    """A block of either stack, of any architecture. Parallel ones: Wang and Komatsuzaki 2021 (GPT-J)."""

    def __init__(self, config: ModelConfig, stack_name: StackName, layer: int) -> None:
        super().__init__()
        experts = config.stack(stack_name).experts
        self.parallel = config.parallel
        self.self_attention = Attention(config, AttentionSite(stack_name, "self", layer))
        self.self_attention_residual = Residual(config)
        self.cross_attention = None
        if stack_name == "decoder" and config.encoder is not None:
            self.cross_attention = Attention(config, AttentionSite("decoder", "cross", layer))
            self.cross_attention_residual = Residual(config)
        self.feedforward: FeedForward | MixtureOfExperts
        if experts is None:
            self.feedforward = FeedForward(config, stack_name)
        else:
            self.feedforward = MixtureOfExperts(config, experts, stack_name, layer)
        self.feedforward_residual = Residual(config, has_norm=not config.shared_norm)
        self.shared_norm = config.shared_norm

    def forward(
        self, x_BNW: Tensor, context: Context, *, angles: Angles | None = None, t5_bias: Tensor | None = None
    ) -> Tensor:
        def attend(x_BNW: Tensor) -> Tensor:
            return self.self_attention(x_BNW, context, angles=angles, t5_bias=t5_bias)

        def feed(x_BNW: Tensor) -> Tensor:
            if isinstance(self.feedforward, MixtureOfExperts):
                return self.feedforward(x_BNW, context.routing_tap)
            return self.feedforward(x_BNW)

        if self.parallel:
            normed_BNW = self.self_attention_residual.norm(x_BNW)
            fed_BNW = feed(normed_BNW if self.shared_norm else self.feedforward_residual.norm(x_BNW))
            drop = self.self_attention_residual.drop
            return x_BNW + drop(attend(normed_BNW)) + drop(fed_BNW)
        x_BNW = self.self_attention_residual(x_BNW, attend)
        if self.cross_attention is not None:
            cross = self.cross_attention
            x_BNW = self.cross_attention_residual(x_BNW, lambda x_BNW: cross(x_BNW, context))
        return self.feedforward_residual(x_BNW, feed)
