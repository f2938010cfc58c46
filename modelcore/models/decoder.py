"""The decoder alone: a language model that reads from left to right."""

# B batch, Q tokens, V vocabulary

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


class Decoder(nn.Module):
    """Tokens in, scores of the next token out. Source: Radford et al. 2019 for the pre-norm preset."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TokenEmbedding(config)
        self.decoder_embedding = InputEmbedding(config)
        self.decoder = Stack(config, "decoder")
        self.head = Head(config)

    def forward(
        self,
        ids_BQ: Tensor,
        *,
        lengths_B: Tensor | None = None,
        starts_B: Tensor | None = None,
        documents_BK: Tensor | None = None,
        cache: Cache | None = None,
        last_only: bool = False,
        asked_BQ: Tensor | None = None,
        **instruments: Unpack[Instruments],
    ) -> Tensor:
        """Logits (B, Q, V), or (B, 1, V) with `last_only`, or of what is `asked` alone (A, V).

        Of a text nothing is computed that comes after the last token that is asked, unless instruments look.

        `lengths` and `starts` say where texts end and begin that are padded on the right or on the left,
        `documents` which text each token belongs to, where several are packed in one sequence.
        With a `cache` the tokens follow those that it has read.
        """
        context = Context(lengths_B=lengths_B, starts_B=starts_B, documents_BK=documents_BK, cache=cache, **instruments)
        if asked_BQ is None:
            return run_through(self._pass(ids_BQ, context, last_only))
        packing = None if instruments or cache else Packing.of(last_asked(asked_BQ), ids_BQ.shape[1])
        return run_through(self._pass(ids_BQ, replace(context, packing=packing), last_only, asked_BQ))

    def layerwise(self, ids_BQ: Tensor, **instruments: Unpack[Instruments]) -> Layerwise[Tensor]:
        """The same pass over one text, pausing after each layer; returns the logits."""
        return self._pass(ids_BQ, Context(**instruments), last_only=False)

    def _pass(
        self, ids_BQ: Tensor, context: Context, last_only: bool, asked_BQ: Tensor | None = None
    ) -> Layerwise[Tensor]:
        x_BQW = self.decoder_embedding(
            self.tokens(ids_BQ), read=context.read, starts_B=context.starts_B, documents_BK=context.documents_BK
        )
        x_BQW = yield from self.decoder.layerwise(packed(x_BQW, context.packing), context)
        if asked_BQ is not None:
            return self.head(asked_rows(x_BQW, asked_BQ, context.packing), self.tokens)[0]
        return self.head(x_BQW[:, -1:] if last_only else x_BQW, self.tokens)
