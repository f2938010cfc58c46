"""Any reading of influence in one call, for people who script."""

# H heads asked for, R rows, C columns

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from modelcore.analysis.influence.flow import read_flow
from modelcore.analysis.influence.gradient import Target, read_gradients
from modelcore.analysis.influence.inputs import inputs_of
from modelcore.analysis.influence.rollout import layers_up_to, read_rollout
from modelcore.analysis.influence.values import read_values
from modelcore.analysis.influence.weighted import moved, speaking, weighted_tile
from modelcore.analysis.request import TraceRequest
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through
from modelcore.tokenizer import Tokenizer


def read_influence(
    model: Readable,
    request: TraceRequest,
    tokenizer: Tokenizer | None,
    heads: Sequence[tuple[str, int]],
    reading: Literal["value", "gradient", "rollout", "flow"],
    rows: range,
    cols: range,
    target: Target | None = None,
) -> Tensor:
    """A rectangle of each of these heads, named by site and number; float32 [H, R, C].

    Cost: runs the model; of what it makes only a rollout's and a flow's maps are whole.
    Raises: RequestError, CheckpointError or ValueError as the readings do.
    """
    inputs = inputs_of(model, request, tokenizer)
    found: list[AttentionMap] = []
    with torch.inference_mode():
        run_through(model.layerwise(*inputs.sequences, tap=found.append, **inputs.types))
    maps = {str(map_.site): map_ for map_ in found}
    if reading == "rollout":
        return torch.stack([read_rollout(layers_up_to(maps, site), rows)[:, cols] for site, _ in heads])
    if reading == "flow":
        flows = [[read_flow(layers_up_to(maps, site), row)[cols] for row in rows] for site, _ in heads]
        return torch.stack([torch.stack(of_rows) for of_rows in flows])
    values = read_values(model, inputs)
    if reading == "value":
        factors = [moved(values[site].norms_HK, head) for site, head in heads]
    else:
        d_out = read_gradients(model, inputs, target or Target()).d_out
        factors = [speaking(d_out[site], values[site].v_GKD, head) for site, head in heads]
    asked = zip(heads, factors, strict=True)
    return torch.stack([weighted_tile(maps[site], head, factor, rows, cols) for (site, head), factor in asked])
