"""From the last hidden states to what a model says."""

# B batch, N tokens, E width of token vectors, W model width, V vocabulary or classes

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.activation import ACTIVATIONS
from modelcore.layers.embedding import TokenEmbedding
from modelcore.layers.linear import Linear
from modelcore.layers.norm import build_norm


class Head(nn.Module):
    """Scores of the vocabulary or of classes, or the hidden states as they are; see `modelcore.config.HeadConfig`."""

    bias: nn.Parameter | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = head = config.head
        speaks = head.output == "vocabulary"
        width = config.token_width if speaks and head.tied else config.width
        self.transform = Linear(config.width, width, bias=head.transform_bias) if head.transform else None
        self.activation = ACTIVATIONS[head.transform_activation] if head.transform_activation else None
        self.norm = build_norm(config, width) if head.transform_norm else None
        outputs = config.vocabulary if speaks else head.classes
        self.output = None
        if head.output != "hidden" and not (speaks and head.tied):
            self.output = Linear(width, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs)) if head.bias else None
        self.distilled = Linear(width, outputs, bias=head.bias) if head.distilled else None

    def forward(self, x_BNW: Tensor, tokens: TokenEmbedding | None = None) -> Tensor:
        """(B, N, V), or (B, V) for classes, or x itself. `tokens` are the vectors that a tied head multiplies with."""
        if self.config.output == "hidden":
            return x_BNW
        if self.config.output == "classes":
            if self.distilled is not None:
                return (self._scores(x_BNW[:, 0], tokens) + self.distilled(x_BNW[:, 1])) / 2
            x_BNW = x_BNW[:, 0]
        return self._scores(x_BNW, tokens)

    def _scores(self, x_BNE: Tensor, tokens: TokenEmbedding | None) -> Tensor:
        head = self.config
        if self.transform is not None:
            x_BNE = self.transform(x_BNE)
        if self.activation is not None:
            x_BNE = self.activation(x_BNE)
        if self.norm is not None:
            x_BNE = self.norm(x_BNE)
        if head.scale != 1.0:
            x_BNE = x_BNE * head.scale
        if self.output is None:
            assert tokens is not None, "a tied head needs the token vectors"
            scores_BNV = tokens.scores(x_BNE, self.bias)
        else:
            scores_BNV = self.output(x_BNE)
            if self.bias is not None:
                scores_BNV = scores_BNV + self.bias
        if head.softcap is not None:
            scores_BNV = head.softcap * torch.tanh(scores_BNV / head.softcap)
        return scores_BNV
