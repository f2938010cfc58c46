"""What a token has become a mixture of: attention multiplied through the layers, the residual stream beside it.

    R_l = N(½ mean_h A_l + ½ I) R_{l−1},   R_{−1} = I,   N divides each row by its sum

A row of R_l is a vector times a matrix for each layer, and of each matrix some rows are recomputed at a time: the
length is limited by patience, not by memory. Only self-attention is followed: what a decoder takes from an encoder by
cross-attention is not in it.
Source: Abnar and Zuidema 2020 (arXiv 2005.00928), section 3.
"""

# H heads, R rows, N tokens

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from kernels import mask
from modelcore.analysis.chunks import USUAL, Portion
from modelcore.layers.attention_map import AttentionMap

# Of weights that are in memory at once, 64 MB of float32.
WEIGHTS_AT_ONCE = 1 << 24


def layers_up_to(maps: dict[str, AttentionMap], site: str) -> list[AttentionMap]:
    """Self-attention of the site's stack, from its first layer to the site's. Raises: ValueError for a cross site."""
    chosen = maps[site].site
    if chosen.kind != "self":
        raise ValueError(f"rollout follows self-attention alone, and {site} is {chosen.kind}-attention")
    same = [map_ for map_ in maps.values() if (map_.site.stack, map_.site.kind) == (chosen.stack, "self")]
    return sorted((map_ for map_ in same if map_.site.layer <= chosen.layer), key=lambda map_: map_.site.layer)


@torch.no_grad()
def read_rollout(layers: Sequence[AttentionMap], rows: range, portion: Portion = USUAL) -> Tensor:
    """Whole rows of the last layer's rollout, first sample, float32 [R, N]; each sums to 1.

    Cost: computes the maps of all heads of all layers once, however few the rows are; keys that no row looks back to
    are left out.
    """
    tokens = layers[-1].queries
    mixed_RN = torch.zeros(len(rows), tokens, device=layers[-1].q_BHQD.device)
    mixed_RN[range(len(rows)), rows] = 1.0
    for layer in reversed(layers):
        before_RN = torch.zeros_like(mixed_RN)
        for some, cols, mixing_NN in mixing_of(layer, needed=mixed_RN, portion=portion):
            part_RN = mixed_RN[:, some.start : some.stop]
            before_RN[:, cols.start : cols.stop] += part_RN @ mixing_NN
        mixed_RN = before_RN
    return mixed_RN


def mixing_of(
    layer: AttentionMap, needed: Tensor | None = None, portion: Portion = USUAL
) -> Iterator[tuple[range, range, Tensor]]:
    """N(½ mean_h A + ½ I), some rows at a time: the rows, the columns outside which they are 0, and what stands there.

    `needed`: columns of it that are 0 throughout name rows that may be left out.
    """
    tokens = layer.queries
    some = max(1, portion.of(WEIGHTS_AT_ONCE) // (layer.heads * tokens))
    for start in range(0, tokens, some):
        rows = range(start, min(start + some, tokens))
        if needed is not None and not needed[:, rows.start : rows.stop].any():
            continue
        cols = range(tokens)
        if mask.is_band(layer.spec):
            seen = mask.keys_seen(layer.spec, tokens, tokens, rows)
            # The residual stream hands on the row's own token, which a band holds unless it is empty.
            cols = range(min(seen.start, rows.start), max(seen.stop, rows.stop))
        tile_HNN = layer.tile(rows, cols)[0]
        mixing_NN = (tile_HNN / layer.rounding_of_rows(tile_HNN)).mean(0) / 2
        own = torch.arange(len(rows), device=mixing_NN.device)
        mixing_NN[own, own + (rows.start - cols.start)] += 0.5
        yield rows, cols, mixing_NN / mixing_NN.sum(-1, keepdim=True)
