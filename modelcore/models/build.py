"""From a configuration to a model with fresh weights."""

from __future__ import annotations

from torch import nn

from modelcore.config import ModelConfig
from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder

Transformer = Decoder | EncoderDecoder


def build(config: ModelConfig) -> Transformer:
    """The model that `config` describes, its weights random (under `torch.device("meta")`: without memory)."""
    model = Decoder(config) if config.encoder is None else EncoderDecoder(config)
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2 and ".blocks." in name:
            nn.init.xavier_uniform_(parameter)
        elif name.endswith(".bias"):
            nn.init.zeros_(parameter)
    return model
