"""The original Transformer: an encoder reads the source, a decoder writes the target."""

# B batch, K source tokens, Q target tokens, W model width, V vocabulary

from __future__ import annotations

from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.attention import Tap
from modelcore.layers.embedding import TokenEmbedding
from modelcore.layers.positional import build_positions
from modelcore.models.stack import Layerwise, Stack, run_through


class EncoderDecoder(nn.Module):
    """Source and target tokens in, scores of the target's next token out.

    The token vectors are shared by encoder, decoder and output. Source: Vaswani et al. 2017.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TokenEmbedding(config)
        self.encoder_positions = build_positions(config)
        self.decoder_positions = build_positions(config)
        self.encoder = Stack(config, "encoder")
        self.decoder = Stack(config, "decoder")

    def forward(
        self, source_BK: Tensor, target_BQ: Tensor, *, source_lengths_B: Tensor | None = None, tap: Tap | None = None
    ) -> Tensor:
        """Logits (B, Q, V). Sources padded on the right need their lengths; targets do not."""
        return run_through(self.layerwise(source_BK, target_BQ, source_lengths_B=source_lengths_B, tap=tap))

    def layerwise(
        self, source_BK: Tensor, target_BQ: Tensor, *, source_lengths_B: Tensor | None = None, tap: Tap | None = None
    ) -> Layerwise[Tensor]:
        """The same pass, pausing after each layer of the encoder, then of the decoder."""
        memory_BKW = yield from self.encode(source_BK, source_lengths_B=source_lengths_B, tap=tap)
        return (yield from self.decode(target_BQ, memory_BKW, source_lengths_B=source_lengths_B, tap=tap))

    def encode(
        self, source_BK: Tensor, *, source_lengths_B: Tensor | None = None, tap: Tap | None = None
    ) -> Layerwise[Tensor]:
        """Returns the encoder's output (B, K, W)."""
        x_BKW = self.tokens(source_BK) + self.encoder_positions(source_BK.shape[1])
        return (yield from self.encoder.layerwise(x_BKW, lengths_B=source_lengths_B, tap=tap))

    def decode(
        self, target_BQ: Tensor, memory_BKW: Tensor, *, source_lengths_B: Tensor | None = None, tap: Tap | None = None
    ) -> Layerwise[Tensor]:
        """Returns the logits (B, Q, V) for a target read against an encoder's output."""
        x_BQW = self.tokens(target_BQ) + self.decoder_positions(target_BQ.shape[1])
        x_BQW = yield from self.decoder.layerwise(
            x_BQW, memory_BKW=memory_BKW, memory_lengths_B=source_lengths_B, tap=tap
        )
        return self.tokens.logits(x_BQW)
