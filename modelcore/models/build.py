"""From a configuration to a model with fresh weights."""

from __future__ import annotations

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


def build(config: ModelConfig) -> Transformer:
    """The model that `config` describes, its weights random (under `torch.device("meta")`: without memory)."""
    model = Decoder(config) if config.encoder is None else EncoderDecoder(config)
    # Arithmetic on the meta device would import a second of torch's internals, so nothing is set there.
    if not model.tokens.weight.is_meta:
        with torch.no_grad():
            _initialise(model, config)
    return model


def _initialise(model: Transformer, config: ModelConfig) -> None:
    """Post-norm: Xavier, as Vaswani et al. 2017's code. Pre-norm: normal, as Radford et al. 2019.

    In pre-norm the layers that add to the residual stream start smaller, by the root of their number.
    Learned positions start as small sinusoids.
    """
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
            if config.norm_placement == "post":
                nn.init.xavier_uniform_(module.weight)
            else:
                adds = name.endswith((".output", ".contract"))
                share = (2 * config.decoder.layers) ** -0.5 if adds else 1.0
                nn.init.normal_(module.weight, std=LINEAR_STD * (LINEAR_WIDTH / config.width) ** 0.5 * share)
        if isinstance(module, LearnedPositions):
            module.weight.copy_(LINEAR_STD * sinusoids(config.positions, config.width))
    nn.init.normal_(model.tokens.weight, std=config.width**-0.5 if config.scale_embeddings else LINEAR_STD)
