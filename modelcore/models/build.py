"""From a configuration to a model with fresh weights."""

from __future__ import annotations

import torch
from torch import nn

from modelcore.config import ModelConfig
from modelcore.layers.positional import LearnedPositions, sinusoids
from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder

Transformer = Decoder | EncoderDecoder


def build(config: ModelConfig) -> Transformer:
    """The model that `config` describes, its weights random (under `torch.device("meta")`: without memory)."""
    model = Decoder(config) if config.encoder is None else EncoderDecoder(config)
    with torch.no_grad():
        for name, module in model.named_modules():
            if isinstance(module, nn.Linear):
                _initialise_linear(name, module, config)
            elif isinstance(module, LearnedPositions) and not module.weight.is_meta:
                # Sinusoids make "the token before" a rotation, which heads find much sooner than in random vectors.
                module.weight.copy_(sinusoids(config.positions, config.width) * _normal_std(config))
    return model


def _initialise_linear(name: str, module: nn.Linear, config: ModelConfig) -> None:
    """Post-norm: Xavier (Vaswani et al. 2017's implementation). Pre-norm: GPT-2's normal (Radford et al. 2019).

    In pre-norm the layers that add to the residual stream start smaller, by the root of their number.
    """
    nn.init.zeros_(module.bias)
    if config.norm_placement == "post":
        nn.init.xavier_uniform_(module.weight)
        return
    adds = name.endswith((".output", ".contract"))
    nn.init.normal_(module.weight, std=_normal_std(config) * ((2 * config.decoder.layers) ** -0.5 if adds else 1.0))


def _normal_std(config: ModelConfig) -> float:
    """GPT-2's 0.02 at its width of 768, wider for narrower models."""
    return float((3 * config.width) ** -0.5)
