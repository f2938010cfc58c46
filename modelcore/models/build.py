"""From a configuration to a model with fresh weights."""

from __future__ import annotations

import math

import torch
from torch import nn

from modelcore.config import ModelConfig
from modelcore.layers.positional import LearnedPositions, sinusoids
from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder

Transformer = Decoder | EncoderDecoder


# GPT-2's, at the width of 768 that it was chosen for.
LINEAR_STD = 0.02
LINEAR_WIDTH = 768
# In pre-norm: about what a fresh block writes, so that the first blocks do not drown the tokens. The tied output
# would then start too sure of itself, hence the small last norm.
EMBEDDING_STD = 0.25
LAST_NORM = 0.1


def build(config: ModelConfig) -> Transformer:
    """The model that `config` describes, its weights random (under `torch.device("meta")`: without memory)."""
    model = Decoder(config) if config.encoder is None else EncoderDecoder(config)
    if not model.tokens.weight.is_meta:
        with torch.no_grad():
            _initialise(model, config)
    return model


def _initialise(model: Transformer, config: ModelConfig) -> None:
    """Post-norm: Xavier, as Vaswani et al. 2017's code. Pre-norm: normal, as Radford et al. 2019.

    In pre-norm the layers that add to the residual stream start smaller, by the root of their number.
    """
    for name, module in model.named_modules():
        if isinstance(module, LearnedPositions):
            # Sinusoids make "the token before" a rotation, which heads find much sooner than in random vectors.
            module.weight.copy_(sinusoids(config.positions, config.width) * (EMBEDDING_STD * math.sqrt(2)))
        if not isinstance(module, nn.Linear):
            continue
        nn.init.zeros_(module.bias)
        if config.norm_placement == "post":
            nn.init.xavier_uniform_(module.weight)
        else:
            adds = name.endswith((".output", ".contract"))
            share = (2 * config.decoder.layers) ** -0.5 if adds else 1.0
            nn.init.normal_(module.weight, std=LINEAR_STD * (LINEAR_WIDTH / config.width) ** 0.5 * share)
    if isinstance(model.decoder.norm, nn.LayerNorm):
        nn.init.normal_(model.tokens.weight, std=EMBEDDING_STD)
        nn.init.constant_(model.decoder.norm.weight, LAST_NORM)
    else:
        nn.init.normal_(model.tokens.weight, std=config.width**-0.5)
