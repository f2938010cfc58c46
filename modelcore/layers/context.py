"""What all layers of one forward pass share, and what a caller may watch or change in it."""

# B batch, N tokens, K keys, W model width

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

from torch import Tensor

from modelcore.config import StackName
from modelcore.layers.attention_map import Tap
from modelcore.layers.cache import Cache
from modelcore.layers.edits import Edits
from modelcore.layers.experts import RoutingTap
from modelcore.layers.outlet import OutletTap
from modelcore.layers.packing import Packing

# Of which stack, after how many of its layers (0: as it enters), and the residual stream [B, N, W] there.
StreamTap = Callable[[StackName, int, Tensor], None]


class Instruments(TypedDict, total=False):
    """What a forward pass takes to be observed and changed; with none, nothing is captured and nothing costs.

    tap          receives the AttentionMap of each site as it is computed
    edits        what to change, by site
    routing_tap  receives the Routing of each mixture of experts
    outlet_tap   receives the Outlet of each site before the output projection; where gradients are enabled, it may
                 ask for one of what it receives
    stream_tap   receives the residual stream of each stack, as it enters and after each layer
    """

    tap: Tap | None
    edits: Edits | None
    routing_tap: RoutingTap | None
    outlet_tap: OutletTap | None
    stream_tap: StreamTap | None


@dataclass(frozen=True, eq=False)
class Context:
    """One forward pass through one stack.

    lengths, starts  where each sequence ends and begins, if padded on the right or on the left
    documents        which text each token belongs to, where several are packed in one sequence: attention
                     stays within one, and positions count from its start, so that each is read as if alone.
                     Patterns count blocks, global tokens and a prefix from the start of the sequence still.
    memory           the encoder's output, for cross-attention, with its own lengths
    packing          the tokens that are computed where padding is left out; x is then [1, T, W] between attentions,
    memory_packing   and so is the encoder's output
    cache            what the stack has read before; the tokens of this pass follow it
    """

    lengths_B: Tensor | None = None
    starts_B: Tensor | None = None
    documents_BK: Tensor | None = None
    memory_BKW: Tensor | None = None
    memory_lengths_B: Tensor | None = None
    packing: Packing | None = None
    memory_packing: Packing | None = None
    cache: Cache | None = None
    tap: Tap | None = None
    edits: Edits | None = None
    routing_tap: RoutingTap | None = None
    outlet_tap: OutletTap | None = None
    stream_tap: StreamTap | None = None

    @property
    def read(self) -> int:
        """How many tokens stand before those of this pass."""
        return 0 if self.cache is None else self.cache.length
