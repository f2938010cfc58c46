"""What a model is trained to do, as a loss in nats a token."""

# B batch, N tokens, Q target tokens, V vocabulary

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.training.pairs import IGNORED, PairBatch


def next_token(model: Decoder, ids_BN: Tensor) -> Tensor:
    """Cross-entropy of each token given those before it."""
    logits_BNV = model(ids_BN[:, :-1])
    return F.cross_entropy(logits_BNV.flatten(0, 1), ids_BN[:, 1:].flatten())


def target_given_source(model: EncoderDecoder, pairs: PairBatch) -> Tensor:
    """Cross-entropy of each target token given the source and the target before it."""
    logits_BQV = model(pairs.source_BK, pairs.target_BQ, source_lengths_B=pairs.source_lengths_B)
    return F.cross_entropy(logits_BQV.flatten(0, 1), pairs.labels_BQ.flatten(), ignore_index=IGNORED)
