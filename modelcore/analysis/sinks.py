"""Where heads rest, taken apart from where they look.

Sinks are the keys that heads rest on when they have nothing to do (Xiao et al. 2023, 2309.17453): a text's first
token, special tokens such as [SEP] (Clark et al. 2019, 1906.04341, 3.2), and learned sinks, which are no key.
A row's weight that lies on no sink is *awake*.
"""

# H heads, Q queries, K keys, O offsets from the own position (NEAR on each side), S sinks, C kinds of rows

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import pad

from kernels import mask
from kernels.spec import NEAR, Summary
from modelcore.analysis.key_tokens import KeyTokens
from modelcore.layers.attention_map import AttentionMap

Values = npt.NDArray[np.float32]

# Of sinks' columns made at once.
TILE_VALUES = 1 << 22

# How rows are counted: all that see a key; those that see more than sinks; those whose token came before; and by
# which part of the keys that a row sees is punctuation, which is near, and the logarithm of how many there are.
Kind = Literal["seeing", "free", "recurring", "marks", "near", "log keys"]
KINDS: tuple[Kind, ...] = ("seeing", "free", "recurring", "marks", "near", "log keys")


@dataclass(frozen=True, eq=False)
class Sight:
    """What rows of a site may see, whatever its heads do. Sinks are left out of marks, of what is near, of counts.

    Shapes: near_QO where a key of that offset counts; kinds_QC float, by KINDS. `first` is None between two texts.
    """

    first: int | None
    sinks_K: Tensor
    special_K: Tensor
    marks_K: Tensor
    near_QO: Tensor
    kinds_QC: Tensor

    @classmethod
    def of(cls, map_: AttentionMap, keys: KeyTokens) -> Sight:
        spec, device = map_.spec, map_.lse_BHQ.device
        special_K = keys.special_K.to(device)
        start = _start(map_)
        first = start if map_.site.kind == "self" else None
        sinks_K = sink_keys(map_, special_K)
        marks_K = keys.punctuation_K.to(device) & ~sinks_K

        position_Q1 = torch.arange(map_.queries, device=device)[:, None]
        if spec.positional:
            position_Q1 = position_Q1 + (map_.keys - map_.queries)
        key_QO = position_Q1 + torch.arange(-NEAR, NEAR + 1, device=device)
        inside_QO = (key_QO >= 0) & (key_QO < map_.keys)
        near_QO = inside_QO & ~sinks_K[key_QO.clamp_(0, map_.keys - 1)]

        seen_Q, marks_Q = _seen(map_, position_Q1[:, 0], start, torch.stack([~sinks_K, marks_K]))
        free_Q = seen_Q.clamp(min=1)
        recurs_K = keys.recurs_K.to(device)
        recurring_Q = recurs_K if len(recurs_K) == map_.queries else torch.zeros_like(seen_Q)
        near_Q = torch.minimum(near_QO.sum(-1), seen_Q)
        kinds = (torch.ones_like(free_Q), seen_Q > 0, recurring_Q, marks_Q / free_Q, near_Q / free_Q, free_Q.log())
        return cls(first, sinks_K, special_K, marks_K, near_QO, torch.stack([kind.float() for kind in kinds], 1))


def sink_keys(map_: AttentionMap, special_K: Tensor) -> Tensor:
    """Which keys are sinks: special tokens, and of a sequence that looks at itself the first one."""
    sinks_K = special_K.clone()
    if map_.site.kind == "self":
        sinks_K[_start(map_) : _start(map_) + 1] = True
    return sinks_K


def _start(map_: AttentionMap) -> int:
    return 0 if map_.spec.key_starts is None else int(map_.spec.key_starts[0])


def _seen(map_: AttentionMap, position_Q: Tensor, start: int, of_NK: Tensor) -> Tensor:
    """How many of some keys each row may see, [N, Q]; patterns with holes are taken for whole."""
    spec, keys = map_.spec, map_.keys
    before, after = mask.reach(spec)
    low_Q = torch.full_like(position_Q, start) if before is None else (position_Q - before).clamp(start, keys)
    high_Q = torch.full_like(position_Q, keys) if after is None else position_Q + after + 1
    if spec.prefix:
        high_Q = high_Q.clamp(min=start + spec.prefix)
    stop = keys if spec.key_lengths is None else int(spec.key_lengths[0])
    until = pad(of_NK.cumsum(1), (1, 0))
    return (until[:, high_Q.clamp(0, stop)] - until[:, low_Q]).clamp(min=0)


class Weights:
    """How much of each head's weight is awake, at rest, and on the first token, summed over rows of every kind.

    near_HO         awake weight by offset from the own position, summed over rows
    overlap_H       `measures.measure` defines it as positional, here summed over rows
    awake_entropy_H what to add to the summed entropy of rows for that of their awake parts, each weighing as it is
    """

    def __init__(self, sums_3HC: Tensor, near_HO: Tensor, overlap_H: Tensor, awake_entropy_H: Tensor) -> None:
        self._sums: Values = sums_3HC.cpu().numpy()
        self.near_HO: Values = near_HO.cpu().numpy()
        self.overlap_H: Values = overlap_H.cpu().numpy()
        self.awake_entropy_H: Values = awake_entropy_H.cpu().numpy()

    @classmethod
    def of(cls, map_: AttentionMap, summary: Summary, sight: Sight) -> Weights:
        lse_HQ = map_.lse_BHQ[0]
        seeing_HQ = (lse_HQ > -torch.inf).float()
        resting_HQ, first_HQ, resting_entropy_H = _on_sinks(map_, sight)
        awake_HQ = seeing_HQ - resting_HQ
        if map_.spec.sinks is not None:
            learned_HQ = (map_.spec.sinks.to(lse_HQ.dtype)[:, None] - lse_HQ).exp()
            awake_HQ = awake_HQ - learned_HQ.masked_fill(seeing_HQ == 0, 0)
        awake_HQ.clamp_(min=0)
        # H(p) = -sum over sinks p ln p + awake H(awake part) - awake ln awake
        awake_entropy_H = torch.xlogy(awake_HQ, awake_HQ).sum(-1) - resting_entropy_H

        near_HQO = summary.near[0] * sight.near_QO
        near_HO = near_HQO.sum(1)
        others_O = ((sight.near_QO & (seeing_HQ.amax(0) > 0)[:, None]).sum(0) - 1).clamp(min=1)
        others_HQO = (near_HO[:, None] - near_HQO).div_(others_O)
        overlap_H = torch.minimum(near_HQO, others_HQO, out=others_HQO).sum((1, 2))
        sums_4HC = torch.stack([seeing_HQ, awake_HQ, resting_HQ, first_HQ]) @ sight.kinds_QC
        return cls(sums_4HC, near_HO, overlap_H, awake_entropy_H)

    def rows(self, kind: Kind) -> Values:
        """Of each head, how many rows of a kind see a key, [H]."""
        return self._sums[0, :, KINDS.index(kind)]

    def awake(self, kind: Kind) -> Values:
        return self._sums[1, :, KINDS.index(kind)]

    def resting(self, kind: Kind) -> Values:
        """On keys that are sinks; learned sinks are none."""
        return self._sums[2, :, KINDS.index(kind)]

    def first(self, kind: Kind) -> Values:
        return self._sums[3, :, KINDS.index(kind)]


def _on_sinks(map_: AttentionMap, sight: Sight) -> tuple[Tensor, Tensor, Tensor]:
    """Of each row the weight on sinks and on the first token, [H, Q]; and -sum p ln p over sinks of all rows, [H]."""
    weight, first = map_.lse_BHQ.new_zeros(2, map_.heads, map_.queries)
    entropy_H = map_.lse_BHQ.new_zeros(map_.heads)
    for cols in _runs(sight.sinks_K):
        step = max(1, TILE_VALUES // (len(cols) * map_.heads))
        for start in range(0, map_.queries, step):
            rows = range(start, min(start + step, map_.queries))
            tile_HRS = map_.tile(rows, cols)[0]
            weight[:, rows.start : rows.stop] += tile_HRS.sum(-1)
            entropy_H -= torch.xlogy(tile_HRS, tile_HRS).sum((1, 2))
            if sight.first is not None and sight.first in cols:
                first[:, rows.start : rows.stop] = tile_HRS[..., sight.first - cols.start]
    return weight, first, entropy_H


def _runs(of_K: Tensor) -> Iterator[range]:
    """The runs of keys that lie side by side."""
    edges = pad(of_K.int(), (1, 1)).diff().nonzero().flatten().tolist()
    yield from (range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True))
