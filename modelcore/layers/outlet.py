"""What the heads of one site hand on: the values that they mix, what comes of it, and the way on."""

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, W model width

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from modelcore.config import AttentionSite


@dataclass(frozen=True, eq=False)
class Outlet:
    """The way out of one site: out = A v for each head, and the heads side by side times `output_WI` go on.

    Shapes: v (B, G, K, D), out (B, H, Q, D), output [W, H × D].
    """

    site: AttentionSite
    v_BGKD: Tensor
    out_BHQD: Tensor
    output_WI: Tensor


OutletTap = Callable[[Outlet], None]
