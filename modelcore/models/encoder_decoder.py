"""The original Transformer: an encoder reads the source, a decoder writes the target."""

# B batch, K source tokens, Q target tokens, W model width, V vocabulary

from __future__ import annotations

from dataclasses import replace
from typing import Unpack

from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.cache import Cache
from modelcore.layers.context import Context, Instruments
from modelcore.layers.embedding import InputEmbedding, TokenEmbedding
from modelcore.layers.head import Head
from modelcore.layers.packing import Packing, packed
from modelcore.models.stack import Layerwise, Stack, asked_rows, last_asked, run_through


class EncoderDecoder(nn.Module):
    """Source and target tokens in, scores of the target's next token out.

    The token vectors are shared by encoder, decoder and, where tied, the output. Source: Vaswani et al. 2017.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TokenEmbedding(config)
        self.encoder_embedding = InputEmbedding(config)
        self.decoder_embedding = InputEmbedding(config)
        self.encoder = Stack(config, "encoder")
        self.decoder = Stack(config, "decoder")
        self.head = Head(config)

    def forward(
        self,
        source_BK: Tensor,
        target_BQ: Tensor,
        *,
        source_lengths_B: Tensor | None = None,
        asked_BQ: Tensor | None = None,
        **instruments: Unpack[Instruments],
    ) -> Tensor:
        """Logits (B, Q, V). Sources padded on the right need their lengths; targets do not.

        With `asked`, which names at least one token, the logits of those alone, (A, V), and without instruments no
        product is spent on padding.
        """
        context = Context(lengths_B=source_lengths_B, **instruments)
        if asked_BQ is None or instruments:
            logits_BQV = run_through(self._pass(source_BK, target_BQ, context))
            return logits_BQV if asked_BQ is None else logits_BQV[asked_BQ]
        return self._asked(source_BK, target_BQ, context, asked_BQ)

    def layerwise(self, source_BK: Tensor, target_BQ: Tensor, **instruments: Unpack[Instruments]) -> Layerwise[Tensor]:
        """The same pass over one pair, pausing after each layer of the encoder, then of the decoder."""
        return self._pass(source_BK, target_BQ, Context(**instruments))

    def encode(
        self, source_BK: Tensor, *, source_lengths_B: Tensor | None = None, **instruments: Unpack[Instruments]
    ) -> Tensor:
        """The encoder's output (B, K, W)."""
        return run_through(self._encode(source_BK, Context(lengths_B=source_lengths_B, **instruments)))

    def decode(
        self,
        target_BQ: Tensor,
        memory_BKW: Tensor,
        *,
        source_lengths_B: Tensor | None = None,
        cache: Cache | None = None,
        last_only: bool = False,
        **instruments: Unpack[Instruments],
    ) -> Tensor:
        """Logits (B, Q, V), or (B, 1, V) with `last_only`, for a target read against an encoder's output.

        With a `cache` the tokens follow those that it has read.
        """
        context = Context(memory_BKW=memory_BKW, memory_lengths_B=source_lengths_B, cache=cache, **instruments)
        return run_through(self._decode(target_BQ, context, last_only))

    def _pass(self, source_BK: Tensor, target_BQ: Tensor, context: Context) -> Layerwise[Tensor]:
        memory_BKW = yield from self._encode(source_BK, context)
        context = replace(context, memory_BKW=memory_BKW, memory_lengths_B=context.lengths_B, lengths_B=None)
        return (yield from self._decode(target_BQ, context, last_only=False))

    def _asked(self, source_BK: Tensor, target_BQ: Tensor, context: Context, asked_BQ: Tensor) -> Tensor:
        source = Packing.of(context.lengths_B, source_BK.shape[1])
        target = Packing.of(last_asked(asked_BQ), target_BQ.shape[1])
        memory_BKW = run_through(self._encode(source_BK, replace(context, packing=source)))
        context = Context(
            memory_BKW=memory_BKW, memory_lengths_B=context.lengths_B, packing=target, memory_packing=source
        )
        x_BQW = packed(self.decoder_embedding(self.tokens(target_BQ)), target)
        x_BQW = run_through(self.decoder.layerwise(x_BQW, context))
        return self.head(asked_rows(x_BQW, asked_BQ, target), self.tokens)[0]

    def _encode(self, source_BK: Tensor, context: Context) -> Layerwise[Tensor]:
        x_BKW = packed(self.encoder_embedding(self.tokens(source_BK)), context.packing)
        return (yield from self.encoder.layerwise(x_BKW, context))

    def _decode(self, target_BQ: Tensor, context: Context, last_only: bool) -> Layerwise[Tensor]:
        x_BQW = self.decoder_embedding(self.tokens(target_BQ), read=context.read)
        x_BQW = yield from self.decoder.layerwise(x_BQW, context)
        return self.head(x_BQW[:, -1:] if last_only else x_BQW, self.tokens)
