"""How much a head moves when it attends: the values of each key, and the norm of what they become in the stream.

    ‖A_ij v_j W_O‖ = A_ij ‖v_j W_O‖

so one norm for each key and head turns any rectangle of the map into what is moved.
Source: Kobayashi et al. 2020 (arXiv 2004.10102), section 3, equation 4.
"""

# B batch, H query heads, G key/value heads, K keys, D head width, W model width, I heads side by side

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelcore.analysis.influence.inputs import Inputs
from modelcore.layers.outlet import Outlet
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through


@dataclass(frozen=True, eq=False)
class Values:
    """The values of one site, first sample, biases in them as the layer adds them, and their norms behind W_O.

    A bias of the output projection is no head's, and a normalisation behind it is not looked at.
    Shapes: v (G, K, D), norms (H, K), float32.
    """

    v_GKD: Tensor
    norms_HK: Tensor


@torch.inference_mode()
def read_values(model: Readable, inputs: Inputs) -> dict[str, Values]:
    """The values of every site, by site. Cost: a forward pass. Raises: CheckpointError for an adapted model."""
    found: dict[str, Values] = {}

    def keep(outlet: Outlet) -> None:
        found[str(outlet.site)] = Values(outlet.v_BGKD[0].float(), norms_of(outlet))

    run_through(model.layerwise(*inputs.sequences, outlet_tap=keep, **inputs.types))
    return found


def norms_of(outlet: Outlet) -> Tensor:
    """‖v_j W_O‖ of each head and key, float32 [H, K]. A value that heads share is taken through each one's W_O."""
    v_GKD = outlet.v_BGKD[0]
    heads, width = outlet.out_BHQD.shape[1], outlet.out_BHQD.shape[3]
    shared = heads // v_GKD.shape[0]
    output_HWD = outlet.output_WI.unflatten(1, (heads, width)).transpose(0, 1)
    # One head at a time: behind W_O values are as wide as the model.
    norms = [(v_GKD[head // shared].float() @ output_HWD[head].float().T).norm(dim=-1) for head in range(heads)]
    return torch.stack(norms)
