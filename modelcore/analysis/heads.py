"""What kind of head a head is, measured on sequences made for the question."""

# B batch, N tokens, H heads

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelcore.config import AttentionSite
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.decoder import Decoder


@dataclass(frozen=True)
class HeadScores:
    """Mean attention of every head of a site to the key that defines a kind of head; between 0 and 1."""

    site: AttentionSite
    induction: list[float]
    previous_token: list[float]


@torch.inference_mode()
def score_heads(model: Decoder, *, span: int = 48, samples: int = 16, seed: int = 0) -> list[HeadScores]:
    """Scores all heads on random tokens that come twice: r_1 … r_n r_1 … r_n.

    induction: from r_i's second coming to r_(i+1)'s first, the key that was followed last time.
    previous_token: from each token of the second half to the one before it.
    Source: Olsson et al. 2022, "In-context Learning and Induction Heads", the prefix-matching score.
    """
    generator = torch.Generator().manual_seed(seed)
    once_BN = torch.randint(model.config.vocabulary, (samples, span), generator=generator)
    maps: list[AttentionMap] = []
    model(once_BN.repeat(1, 2).to(model.tokens.weight.device), tap=maps.append)
    return [_score(map_, span) for map_ in maps]


def _score(map_: AttentionMap, span: int) -> HeadScores:
    rows = torch.arange(span, 2 * span - 1)
    map_BHQK = map_.tile()

    def mean_at(cols: Tensor) -> list[float]:
        return map_BHQK[:, :, rows, cols].mean(dim=(0, 2)).tolist()

    return HeadScores(map_.site, induction=mean_at(rows - span + 1), previous_token=mean_at(rows - 1))
