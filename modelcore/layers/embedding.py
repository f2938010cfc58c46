"""Token vectors, shared between the input and the output of a model."""

# B batch, N tokens, W model width, V vocabulary

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelcore.config import ModelConfig


class TokenEmbedding(nn.Module):
    """One vector a token, read going in and multiplied with coming out (tied).

    Source: Vaswani et al. 2017, section 3.4: input vectors may be scaled by √width.
    """

    bias: nn.Parameter | None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.vocabulary, config.width))
        self.scale = config.width**0.5 if config.scale_embeddings else 1.0
        self.bias = nn.Parameter(torch.zeros(config.vocabulary)) if config.logits_bias else None

    def forward(self, ids_BN: Tensor) -> Tensor:
        x_BNW = F.embedding(ids_BN, self.weight)
        return x_BNW if self.scale == 1.0 else x_BNW * self.scale

    def logits(self, x_BNW: Tensor) -> Tensor:
        """Scores of every next token, (B, N, V)."""
        return F.linear(x_BNW, self.weight, self.bias)
