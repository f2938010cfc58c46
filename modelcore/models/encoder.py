"""The encoder alone: a model in which every token sees the whole text."""

# B batch, N tokens, V vocabulary or classes

from __future__ import annotations

from typing import Unpack

from torch import Tensor, nn

from modelcore.config import ModelConfig
from modelcore.layers.context import Context, Instruments
from modelcore.layers.embedding import InputEmbedding, TokenEmbedding
from modelcore.layers.head import Head
from modelcore.models.stack import Layerwise, Stack, asked_rows, run_through


class Encoder(nn.Module):
    """Tokens in; hidden states, guesses of masked tokens, or classes out. Source: Devlin et al. 2018 (BERT)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.tokens = TokenEmbedding(config)
        self.encoder_embedding = InputEmbedding(config)
        self.encoder = Stack(config, "encoder")
        self.head = Head(config)

    def forward(
        self,
        ids_BN: Tensor,
        *,
        token_types_BN: Tensor | None = None,
        lengths_B: Tensor | None = None,
        documents_BK: Tensor | None = None,
        asked_BN: Tensor | None = None,
        **instruments: Unpack[Instruments],
    ) -> Tensor:
        """What the head gives: (B, N, V), (B, V) or (B, N, W); of what is `asked` alone, (A, V).

        `lengths`: texts are padded on the right. `documents`: several are packed in one sequence.
        """
        context = Context(lengths_B=lengths_B, documents_BK=documents_BK, **instruments)
        return run_through(self._pass(ids_BN, token_types_BN, context, asked_BN))

    def layerwise(
        self, ids_BN: Tensor, *, token_types_BN: Tensor | None = None, **instruments: Unpack[Instruments]
    ) -> Layerwise[Tensor]:
        """The same pass over one text, pausing after each layer."""
        return self._pass(ids_BN, token_types_BN, Context(**instruments))

    def _pass(
        self, ids_BN: Tensor, token_types_BN: Tensor | None, context: Context, asked_BN: Tensor | None = None
    ) -> Layerwise[Tensor]:
        x_BNW = self.encoder_embedding(
            self.tokens(ids_BN), documents_BK=context.documents_BK, token_types_BN=token_types_BN
        )
        x_BNW = yield from self.encoder.layerwise(x_BNW, context)
        if asked_BN is not None:
            return self.head(asked_rows(x_BNW, asked_BN, None), self.tokens)[0]
        return self.head(x_BNW, self.tokens)
