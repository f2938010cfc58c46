"""The decoder alone: a language model that reads from left to right."""

# B batch, Q tokens, V vocabulary

from __future__ import annotations

from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.attention import Tap
from modelcore.layers.embedding import TokenEmbedding
from modelcore.layers.positional import build_positions
from modelcore.models.stack import Layerwise, Stack, run_through


class Decoder(nn.Module):
    """Tokens in, scores of the next token out. Source: Radford et al. 2019 for the pre-norm preset."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TokenEmbedding(config)
        self.positions = build_positions(config)
        self.decoder = Stack(config, "decoder")

    def forward(self, ids_BQ: Tensor, *, lengths_B: Tensor | None = None, tap: Tap | None = None) -> Tensor:
        """Logits (B, Q, V). The `tap` sees each site's map as it is computed."""
        return run_through(self.layerwise(ids_BQ, lengths_B=lengths_B, tap=tap))

    def layerwise(
        self, ids_BQ: Tensor, *, lengths_B: Tensor | None = None, tap: Tap | None = None
    ) -> Layerwise[Tensor]:
        """The same pass, pausing after each layer; returns the logits."""
        x_BQW = self.tokens(ids_BQ) + self.positions(ids_BQ.shape[1])
        x_BQW = yield from self.decoder.layerwise(x_BQW, lengths_B=lengths_B, tap=tap)
        return self.tokens.logits(x_BQW)
