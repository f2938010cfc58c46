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
    return pairs_loss(model, pairs, **instruments)


def pairs_loss(
    model: EncoderDecoder, pairs: PairBatch, smoothing: float = 0.0, **instruments: Unpack[Instruments]
) -> Tensor:
    """`target_given_source` with label smoothing."""
    asked_BQ = pairs.labels_BQ != IGNORED
    lengths_B = pairs.source_lengths_B
    logits_AV = model(pairs.source_BK, pairs.target_BQ, source_lengths_B=lengths_B, asked_BQ=asked_BQ, **instruments)
    return F.cross_entropy(logits_AV, pairs.labels_BQ[asked_BQ], label_smoothing=smoothing)


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
