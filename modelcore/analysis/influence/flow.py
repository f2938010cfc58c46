"""How much can flow from a token down to each token of the input, when weights are the widths of pipes.

    token i of layer l ──▶ token j of layer l − 1, as wide as N(½ mean_h A_l + ½ I)_ij

For each token of the input the largest flow that reaches it alone is found. Each is a problem of its own, so flow is
for short texts.
Source: Abnar and Zuidema 2020 (arXiv 2005.00928), section 3.
"""

# N tokens

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_flow
from torch import Tensor

from modelcore.analysis.influence.rollout import mixing_of
from modelcore.layers.attention_map import AttentionMap

# SciPy finds flows of whole numbers up to 2 ** 31. Rounding each pipe to 2 ** -30 takes or adds at most 2 ** -31 of
# it; a flow of 64 tokens is then off by at most 4e-6, as a row of pipes that carries it all has as many.
SCALE = 1 << 30


@torch.no_grad()
def read_flow(layers: Sequence[AttentionMap], row: int) -> Tensor:
    """The largest flow from one token, above the last of the layers, to each token of the input; float32 [N].

    Cost: a maximum flow for each token, over as many pipes as the layers' maps have weights together.
    """
    tokens = layers[-1].queries
    graph = coo_array(_pipes(layers), shape=((len(layers) + 1) * tokens,) * 2).tocsr()
    source = len(layers) * tokens + row
    flows = [maximum_flow(graph, source, token).flow_value / SCALE for token in range(tokens)]
    return torch.tensor(flows, dtype=torch.float32)


def _pipes(layers: Sequence[AttentionMap]) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Capacities, from where, to where. Token i above layer l has the number (l + 1) × N + i; the input comes first."""
    widths, origins, ends = [], [], []
    for below, layer in enumerate(layers):
        tokens = layer.queries
        for rows, cols, mixing_NN in mixing_of(layer):
            scaled = np.rint(mixing_NN.double().cpu().numpy() * SCALE).astype(np.int32)
            here, there = scaled.nonzero()
            widths.append(scaled[here, there])
            origins.append(here + rows.start + (below + 1) * tokens)
            ends.append(there + cols.start + below * tokens)
    where = np.concatenate(origins).astype(np.int32), np.concatenate(ends).astype(np.int32)
    return np.concatenate(widths), where
