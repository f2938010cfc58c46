"""The vision Transformer: an encoder whose tokens are the patches of a picture."""

# B batch, C colour channels, Y and X pixels down and across

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.context import Context, Instruments
from modelcore.layers.embedding import PatchEmbedding
from modelcore.layers.head import Head
from modelcore.models.stack import Layerwise, Stack, run_through


class Vision(nn.Module):
    """Pixels in, classes or hidden states out. Source: Dosovitskiy et al. 2020 (ViT); Touvron et al. 2020 (DeiT)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.image is not None, "a vision model needs the sizes of its pictures"
        self.config = config
        self.encoder_embedding = PatchEmbedding(config, config.image)
        self.encoder = Stack(config, "encoder")
        self.head = Head(config)

    def forward(self, pixels_BCYX: Tensor, **instruments: Unpack[Instruments]) -> Tensor:
        """What the head gives: (B, classes), or hidden states (B, tokens, width)."""
        return run_through(self.layerwise(pixels_BCYX, **instruments))

    def layerwise(self, pixels_BCYX: Tensor, **instruments: Unpack[Instruments]) -> Layerwise[Tensor]:
        """The same pass, pausing after each layer."""
        x_BNW = yield from self.encoder.layerwise(self.encoder_embedding(pixels_BCYX), Context(**instruments))
        return self.head(x_BNW)
