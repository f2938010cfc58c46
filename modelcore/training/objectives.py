"""What a model is trained to do, as a loss in nats a token."""

# B batch, N tokens, Q target tokens, V vocabulary

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, TypeVar, Unpack

import torch.nn.functional as F
from torch import Tensor

from modelcore.layers.context import Instruments
from modelcore.layers.experts import Routing, load_balancing_loss
from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.training.pairs import IGNORED, PairBatch

Model = TypeVar("Model")
Batch = TypeVar("Batch")


def next_token(model: Decoder, ids_BN: Tensor, **instruments: Unpack[Instruments]) -> Tensor:
    """Cross-entropy of each token given those before it."""
    logits_BNV = model(ids_BN[:, :-1], **instruments)
    return F.cross_entropy(logits_BNV.flatten(0, 1), ids_BN[:, 1:].flatten())


def target_given_source(model: EncoderDecoder, pairs: PairBatch, **instruments: Unpack[Instruments]) -> Tensor:
    """Cross-entropy of each target token given the source and the target before it."""
    logits_BQV = model(pairs.source_BK, pairs.target_BQ, source_lengths_B=pairs.source_lengths_B, **instruments)
    return F.cross_entropy(logits_BQV.flatten(0, 1), pairs.labels_BQ.flatten(), ignore_index=IGNORED)


def balanced(
    objective: Callable[Concatenate[Model, Batch, ...], Tensor], weight: float = 0.01
) -> Callable[[Model, Batch], Tensor]:
    """The objective, and `weight` times the load-balancing loss of the model's mixtures of experts.

    Source: Fedus et al. 2021 (Switch, arXiv 2101.03961), 2.2, which finds 0.01 enough.
    """

    def loss(model: Model, batch: Batch) -> Tensor:
        routings: list[Routing] = []
        told = objective(model, batch, routing_tap=routings.append)
        return told + weight * load_balancing_loss(routings)

    return loss
