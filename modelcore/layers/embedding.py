"""What enters a stack: token vectors with their positions and types, or the patches of a picture."""

# B batch, N tokens, E width of token vectors, W model width, V vocabulary
# C colour channels, Y and X pixels down and across

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelcore.config import ImageConfig, ModelConfig
from modelcore.layers.linear import Linear, linear
from modelcore.layers.norm import build_norm
from modelcore.layers.positional import LearnedPositions, build_positions, count_positions


class TokenEmbedding(nn.Module):
    """One vector a token, read going in, and multiplied with coming out where the head is tied.

    Source: Vaswani et al. 2017, section 3.4: input vectors may be scaled by √width.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config.vocabulary, config.token_width))
        self.scale = config.embedding_scale

    def forward(self, ids_BN: Tensor) -> Tensor:
        x_BNE = F.embedding(ids_BN, self.weight)
        return x_BNE if self.scale == 1.0 else x_BNE * self.scale

    def scores(self, x_BNE: Tensor, bias_V: Tensor | None = None) -> Tensor:
        """x · every token's vector, (B, N, V)."""
        return linear(x_BNE, self.weight, bias_V)


class InputEmbedding(nn.Module):
    """Token vectors, and what one stack adds: positions, types, a normalisation, a projection to the model's width."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        projects = config.embedding_width is not None
        self.projects_sum = projects and config.embedding_projection == "sum"
        width = config.token_width if self.projects_sum else config.width
        bias = config.embedding_projection_bias
        self.projection = Linear(config.token_width, config.width, bias=bias) if projects else None
        self.positions = build_positions(config, width)
        self.token_types: nn.Embedding | None = None
        if config.token_types:
            # Not drawn from, as nn.Embedding would: on the meta device that imports a second of torch's internals.
            self.token_types = nn.Embedding.from_pretrained(torch.empty(config.token_types, width), freeze=False)
        self.norm = build_norm(config, width) if config.embedding_norm else None
        self.dropout = config.dropout

    def forward(
        self,
        x_BNE: Tensor,
        *,
        read: int = 0,
        starts_B: Tensor | None = None,
        documents_BK: Tensor | None = None,
        token_types_BN: Tensor | None = None,
    ) -> Tensor:
        """`read` tokens stand before these. Positions count from where each sequence starts after left padding, and
        anew in each of several documents.

        Raises: ValueError if the text is longer than the table of positions.
        """
        if self.projection is not None and not self.projects_sum:
            x_BNE = self.projection(x_BNE)
        if self.positions is not None:
            counted = range(read, read + x_BNE.shape[1])
            positions = count_positions(counted, starts_B, documents_BK)
            x_BNE = x_BNE + self.positions(positions).to(x_BNE.dtype)
        if self.token_types is not None:
            kind = self.token_types.weight[0] if token_types_BN is None else self.token_types(token_types_BN)
            x_BNE = x_BNE + kind
        if self.norm is not None:
            x_BNE = self.norm(x_BNE)
        if self.projection is not None and self.projects_sum:
            x_BNE = self.projection(x_BNE)
        return F.dropout(x_BNE, self.dropout) if self.training and self.dropout else x_BNE


class PatchEmbedding(nn.Module):
    """Patches as vectors, row by row, after the first tokens, all with learned positions.

    Source: Dosovitskiy et al. 2020 (ViT, arXiv 2010.11929), equation 1.
    """

    def __init__(self, config: ModelConfig, image: ImageConfig) -> None:
        super().__init__()
        self.image = image
        patch = (image.patch_height, image.patch_width)
        self.patches = nn.Conv2d(image.channels, config.width, patch, stride=patch)
        self.first_tokens = nn.Parameter(torch.empty(image.extra_tokens, config.width))
        self.positions = LearnedPositions(image.tokens, config.width)
        self.dropout = config.dropout

    def forward(self, pixels_BCYX: Tensor) -> Tensor:
        """Raises: ValueError if the picture has another size than the model reads."""
        image = self.image
        expected = (image.channels, image.height, image.width)
        if pixels_BCYX.dim() != 4 or tuple(pixels_BCYX.shape[1:]) != expected:
            raise ValueError(f"pixels must be [batch, {', '.join(map(str, expected))}], got {list(pixels_BCYX.shape)}")
        patches_BNW = self.patches(pixels_BCYX).flatten(2).transpose(1, 2)
        first_BNW = self.first_tokens.expand(patches_BNW.shape[0], -1, -1)
        x_BNW = torch.cat([first_BNW, patches_BNW], dim=1) + self.positions(range(image.tokens))
        return F.dropout(x_BNW, self.dropout) if self.training and self.dropout else x_BNW
