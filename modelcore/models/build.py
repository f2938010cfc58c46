"""From a configuration to a model with fresh weights."""

from __future__ import annotations

import torch
from torch import nn

from modelcore.config import Architecture, ModelConfig
from modelcore.layers.attention import Attention
from modelcore.layers.embedding import PatchEmbedding, TokenEmbedding
from modelcore.layers.experts import MixtureOfExperts
from modelcore.layers.positional import LearnedPositions, sinusoids
from modelcore.models.decoder import Decoder
from modelcore.models.encoder import Encoder
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.models.stack import Stack
from modelcore.models.vision import Vision

Transformer = Decoder | Encoder | EncoderDecoder | Vision

KINDS: dict[Architecture, type[Transformer]] = {
    "decoder": Decoder,
    "encoder": Encoder,
    "encoder-decoder": EncoderDecoder,
    "vision": Vision,
}

# GPT-2's, at the width of 768 that it was chosen for.
LINEAR_STD = 0.02
LINEAR_WIDTH = 768


def build(config: ModelConfig) -> Transformer:
    """The model that `config` describes, its weights random (under `torch.device("meta")`: without memory)."""
    model = KINDS[config.architecture](config)
    # Arithmetic on the meta device would import a second of torch's internals, so nothing is set there.
    if not next(model.parameters()).is_meta:
        with torch.no_grad():
            _initialise(model, config)
    return model


def count_parameters(config: ModelConfig) -> int:
    """How many numbers such a model learns, shared ones counted once; takes no memory for them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(config).parameters())


def _initialise(model: Transformer, config: ModelConfig) -> None:
    """Post-norm: Xavier, as Vaswani et al. 2017's code. Else normal, as Radford et al. 2019.

    Layers that add to the residual stream then start smaller, by the root of their number.
    Learned positions start as small sinusoids.
    """
    std = LINEAR_STD * (LINEAR_WIDTH / config.width) ** 0.5
    share = (2 * max(stack.layers for stack in config.stacks.values())) ** -0.5
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            if module.bias is not None:
                nn.init.zeros_(module.bias)
            adds = name.endswith((".output", ".contract")) and ".blocks." in name
            if config.norm_placement == "post":
                nn.init.xavier_uniform_(module.weight)
            else:
                nn.init.normal_(module.weight, std=std * (share if adds else 1.0))
        elif isinstance(module, MixtureOfExperts):
            for experts, shrink in ((module.expand, 1.0), (module.gate, 1.0), (module.contract, share)):
                if experts is not None:
                    nn.init.normal_(experts, std=std * shrink)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=LINEAR_STD)
        elif isinstance(module, LearnedPositions):
            module.weight.copy_(LINEAR_STD * sinusoids(*module.weight.shape))
        elif isinstance(module, Attention):
            _initialise_scores(module)
        elif isinstance(module, PatchEmbedding):
            nn.init.normal_(module.first_tokens, std=LINEAR_STD)
        elif isinstance(module, Stack) and module.position_bias is not None:
            nn.init.normal_(module.position_bias, std=LINEAR_STD)
        elif isinstance(module, TokenEmbedding):
            # Vectors that are scaled up going in start small, so that they and the logits have unit size.
            nn.init.normal_(module.weight, std=LINEAR_STD if config.embedding_scale == 1.0 else config.width**-0.5)


def _initialise_scores(attention: Attention) -> None:
    """A multiplicative score starts as a dot product scaled as usual, an additive one as a mean over dimensions."""
    width = attention.head_width
    if attention.config.score == "multiplicative":
        attention.score_matrix.copy_(torch.eye(width) * width**-0.5)
    if attention.config.score == "additive":
        nn.init.normal_(attention.score_vector, std=width**-0.5)
    if hasattr(attention, "relative_keys"):
        nn.init.normal_(attention.relative_keys, std=LINEAR_STD)
