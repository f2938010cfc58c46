"""Changes to what heads do, as an argument of the forward pass; the map that is drawn is the edited one."""

# H heads, Q queries, K keys, S sets of edges

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from kernels.spec import AttentionSpec
from modelcore.config import AttentionSite

EDGE_SETS = 32


@dataclass(frozen=True)
class EdgeSet:
    """All edges from some queries to some keys, in some heads; None means all of them.

    Positions count from the start of the text. `bias` is added to the scores before the softmax, in nats,
    and -inf knocks the edges out; `scale` multiplies the probabilities after it.
    """

    queries: Sequence[int] | None = None
    keys: Sequence[int] | None = None
    heads: Sequence[int] | None = None
    bias: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Edit:
    """What is changed at one site. `head_gate` [H]: factor of each head's output, 0 takes the head out.

    Raises: ValueError for more sets of edges than EDGE_SETS.
    """

    head_gate: Tensor | None = None
    edges: tuple[EdgeSet, ...] = ()

    def __post_init__(self) -> None:
        if len(self.edges) > EDGE_SETS:
            raise ValueError(f"{len(self.edges)} sets of edges at one site are too many; join them into {EDGE_SETS}.")

    def applied(
        self, spec: AttentionSpec, heads: int, queries: range, keys: range, device: torch.device
    ) -> AttentionSpec:
        """The spec with the change in it, for these positions of queries and keys."""
        if self.head_gate is not None:
            spec = replace(spec, head_gate=self.head_gate.to(device))
        if not self.edges:
            return spec
        chosen = [range(heads) if edges.heads is None else edges.heads for edges in self.edges]
        return replace(
            spec,
            edge_queries=_members([edges.queries for edges in self.edges], chosen, heads, queries, device),
            edge_keys=_members([edges.keys for edges in self.edges], chosen, heads, keys, device),
            edge_bias=torch.tensor([edges.bias for edges in self.edges], device=device),
            edge_scale=torch.tensor([edges.scale for edges in self.edges], device=device),
        )


Edits = Mapping[AttentionSite, Edit]


def _members(
    sets: Sequence[Sequence[int] | None],
    chosen: Sequence[Sequence[int]],
    heads: int,
    positions: range,
    device: torch.device,
) -> Tensor:
    """Bit s of each position says whether it is an end of set s, int32 [1, H, Q or K]."""
    bits_HN = torch.zeros(heads, len(positions), dtype=torch.int64)
    for s, (members, in_heads) in enumerate(zip(sets, chosen, strict=True)):
        inside = torch.ones(len(positions), dtype=torch.bool)
        if members is not None:
            inside.zero_()
            inside[[position - positions.start for position in members if position in positions]] = True
        bits_HN[list(in_heads)] |= inside.long() << s
    # The 32nd bit is the sign of an int32.
    return torch.where(bits_HN >= 1 << 31, bits_HN - (1 << 32), bits_HN).int()[None].to(device)
