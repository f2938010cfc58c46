"""A start for small decoders: heads that lean to something, so that induction heads form within minutes.

From plain random weights a head must find the token before, another learn to compare with what it
wrote, and all learn to copy, before any of it pays. Here the first layer's heads start as a
convolution and the others copying; what is compared with what, and what each head becomes, is learned.
"""

# P pairs of a sine and a cosine column

from __future__ import annotations

import math

import torch
from torch import nn

from modelcore.layers.attention import Attention
from modelcore.layers.positional import LearnedPositions, sinusoids
from modelcore.models.decoder import Decoder

# About what a fresh block writes, so that the first blocks do not drown the tokens. The tied output
# would then start too sure of itself, hence the small last norm.
EMBEDDING_STD = 0.25
LAST_NORM = 0.1

# How much of what a head looks at it writes, of a token's own size.
WRITTEN_SHARE = 0.3
# How strongly the first layer's heads prefer their offset: the token there gets about e times its neighbours' weight.
NEIGHBOUR_STRENGTH = 1.4


@torch.no_grad()
def lean(model: Decoder) -> None:
    """Sets tokens, positions, the last norm, and what attention reads and writes, in a model just built."""
    width = model.config.width
    nn.init.normal_(model.tokens.weight, std=EMBEDDING_STD)
    learned = model.decoder_embedding.positions
    assert isinstance(learned, LearnedPositions), "only learned positions can be set"
    positions = learned.weight
    positions.copy_(sinusoids(model.config.positions, width) * (EMBEDDING_STD * math.sqrt(2)))
    # Every other frequency is negated: the slow cosines, all near 1, would else be what LayerNorm subtracts.
    positions[:, 1 : (width + 1) // 2 : 2].neg_()
    positions[:, (width + 1) // 2 + 1 :: 2].neg_()
    if isinstance(model.decoder.norm, nn.LayerNorm):
        nn.init.constant_(model.decoder.norm.weight, LAST_NORM)
    first, *others = (module for module in model.modules() if isinstance(module, Attention))
    _mark_values(first, width)
    _lean_to_neighbours(first, width)
    for attention in others:
        _copy_values(attention, width)
    # Tokens leave the columns free in which the first layer compares positions.
    sine_P, cosine_P = _fast_columns(first, width)
    model.tokens.weight[:, torch.cat([sine_P, cosine_P])] = 0.0


def _copy_values(attention: Attention, width: int) -> None:
    """The output near the values' transpose: heads start out copying what they look at.

    Source: Trockman and Kolter 2023, "Mimetic Initialization of Self-Attention Layers", section 3,
    here with the positive sign that copying needs.
    """
    nn.init.normal_(attention.value.weight, std=width**-0.5)
    attention.output.weight.copy_(WRITTEN_SHARE * attention.value.weight.t())


def _mark_values(attention: Attention, width: int) -> None:
    """Values and output apart: heads write what they look at in a spelling of their own, for later layers."""
    nn.init.normal_(attention.value.weight, std=width**-0.5)
    nn.init.normal_(attention.output.weight, std=WRITTEN_SHARE * width**-0.5)


def _lean_to_neighbours(attention: Attention, width: int) -> None:
    """The first layer's heads lean, in pairs, to the token before, two before, three before, …

    Position i's sinusoids, turned by an offset, are those of i - offset, so that q·k peaks there.
    Source: d'Ascoli et al. 2021, "ConViT", section 3: attention that starts as a convolution.
    """
    depth = width // attention.heads
    sine, cosine = _fast_columns(attention, width)
    frequency_P = 10000.0 ** (-2 * sine / width)
    for head in range(attention.heads):
        angle_P = frequency_P * (head // 2 + 1)
        rows = head * depth + 2 * sine
        query, key = attention.query.weight, attention.key.weight
        key[rows, sine] += NEIGHBOUR_STRENGTH
        key[rows + 1, cosine] += NEIGHBOUR_STRENGTH
        query[rows, sine] += NEIGHBOUR_STRENGTH * angle_P.cos()
        query[rows, cosine] -= NEIGHBOUR_STRENGTH * angle_P.sin()
        query[rows + 1, cosine] += NEIGHBOUR_STRENGTH * angle_P.cos()
        query[rows + 1, sine] += NEIGHBOUR_STRENGTH * angle_P.sin()


def _fast_columns(attention: Attention, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The sine and cosine columns of the fastest frequencies, as many pairs as fit into a head; see `sinusoids`."""
    sine_P = torch.arange(width // attention.heads // 2)
    return sine_P, sine_P + (width + 1) // 2
