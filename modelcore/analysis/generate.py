"""Greedy decoding for an encoder-decoder that is given no target."""

# K source tokens, Q target tokens, W model width, V vocabulary

from __future__ import annotations

import torch
from torch import Tensor

from modelcore.models.encoder_decoder import EncoderDecoder

# Every new token runs the decoder over all before it, so a target without an end must stop somewhere.
GENERATED_LIMIT = 128


@torch.inference_mode()
def generate_greedily(model: EncoderDecoder, source_1K: Tensor, limit: int = GENERATED_LIMIT) -> list[int]:
    """The most likely target, token by token, as the decoder reads it: it begins with the start token.

    Ends before the end token, at `limit` tokens, or where the model's positions end.
    Cost: the encoder once, the decoder once a token.
    """
    config = model.config
    memory_1KW = model.encode(source_1K)
    assert config.start_token is not None  # every encoder-decoder has one: ModelConfig requires it
    target = [config.start_token]
    while len(target) < min(limit, config.positions):
        target_1Q = torch.tensor([target], device=source_1K.device)
        logits_1QV = model.decode(target_1Q, memory_1KW)
        chosen = int(logits_1QV[0, -1].argmax())
        if chosen == config.end_token:
            break
        target.append(chosen)
    return target
