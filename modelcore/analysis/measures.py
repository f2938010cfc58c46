"""Numbers that say what the heads of a site do, and the evidence from which labels are made.

Sinks are the keys that heads rest on when they have nothing to do (Xiao et al. 2023, 2309.17453): a text's first
token, special tokens such as [SEP] (Clark et al. 2019, 1906.04341, 3.2), and learned sinks, which are no key.
A row's weight that lies on no sink is *awake*.
"""

# H heads, Q queries, K keys, O offsets from the own position (NEAR on each side), S sinks

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels import mask
from kernels.spec import NEAR, Summary
from modelcore.analysis.key_tokens import KeyTokens
from modelcore.layers.attention_map import AttentionMap

# Of sinks' columns made at once.
TILE_VALUES = 1 << 22


@dataclass(frozen=True)
class Evidence:
    """What labels are decided by, a number for each head: shares of the awake weight, unless said otherwise.

    patterns  the share that each pattern holds, over the rows of which it can be said
    rows      how many rows that is, each counted by its awake weight
    chance    the share that it would hold if where a row looks had nothing to do with it: the awake weight spread
              evenly for punctuation; for positional, as few or many tokens as here, but anywhere
    awake     share of all weight that lies on no sink, over the rows that see more than sinks; `rested` says how many
    special   share of all weight on special tokens other than the first token, over the same rows
    broad, tokens   entropy over its greatest possible; e to the entropy
    """

    kind: str
    patterns: dict[str, list[float]]
    rows: dict[str, list[float]]
    chance: dict[str, list[float]]
    awake: list[float]
    special: list[float]
    rested: list[float]
    broad: list[float]
    tokens: list[float]


def measure(map_: AttentionMap, summary: Summary, keys: KeyTokens) -> tuple[dict[str, Tensor], Evidence]:
    """The measures of every head of the first sample, float32 [H], and the evidence for labels.

    Those of `kernels.dispatch.map_stats`, and, over the R rows that see a key:

        received     max_j sum_i p_ij / R over the keys j that are no sink:    H2O (2306.14048), 4, takes the sums
                     how much of all weight one token draws
        punctuation  sum of p_ij over keys that are punctuation alone, / R     Clark et al. 2019, 3.2
        special      the same over special tokens                             Clark et al. 2019, 3.2
        sink         the same over all sinks, learned ones too                 Xiao et al. 2023, 3.1
        positional   sum_d min(p_i(d), m_i(d)), / R, where p_i(d) is row i's   after Voita et al. 2019 (1905.09418), 4,
                     weight d tokens from its own position, |d| <= NEAR, and   who ask how often the maximum lies at
                     m_i(d) the mean of that over all other rows: the weight   one distance
                     that one would find who knows the distance alone

    Cost: O(n (NEAR + S) width) beside the summary. `entropy` and `first_token` count sinks, `positional` does not.
    """
    sites = _Rows(map_, summary, keys)
    rows = sites.seeing_HQ.sum(-1).clamp(min=1)
    received_HK = summary.received[0]
    overlap_H = sites.overlap()
    measures = {name: means[0].float() for name, means in summary.measures.items()}
    measures |= {
        "received": received_HK.masked_fill(sites.sinks_K, 0).amax(-1) / rows,
        "punctuation": received_HK[:, keys.punctuation_K.to(received_HK.device)].sum(-1) / rows,
        "special": received_HK[:, keys.special_K.to(received_HK.device)].sum(-1) / rows,
        "sink": (sites.resting_HQ + sites.learned_HQ).sum(-1) / rows,
        "positional": overlap_H / rows,
    }
    measures = {name: value.clamp(min=0).float().cpu() for name, value in measures.items()}
    return measures, sites.evidence(measures, overlap_H)


class _Rows:
    """The rows of a map with sinks apart."""

    def __init__(self, map_: AttentionMap, summary: Summary, keys: KeyTokens) -> None:
        self.map, self.summary, self.keys = map_, summary, keys
        device = map_.lse_BHQ.device
        self.position_Q = torch.arange(map_.queries, device=device)
        if map_.spec.positional:
            self.position_Q = self.position_Q + (map_.keys - map_.queries)
        special_K = keys.special_K.to(device)
        self.first = 0 if map_.spec.key_starts is None else int(map_.spec.key_starts[0])
        self.sinks_K = special_K.clone()
        if map_.site.kind == "self":
            self.sinks_K[self.first : self.first + 1] = True
        self.seeing_HQ = map_.lse_BHQ[0] > -torch.inf
        self.resting_HQ, self.first_HQ, self.resting_entropy_HQ = self._on_sinks()
        self.learned_HQ = torch.zeros_like(self.resting_HQ)
        if map_.spec.sinks is not None:
            learned_HQ = (map_.spec.sinks.to(map_.lse_BHQ.dtype)[:, None] - map_.lse_BHQ[0]).exp()
            self.learned_HQ = learned_HQ.masked_fill(~self.seeing_HQ, 0)
        self.awake_HQ = (self.seeing_HQ.float() - self.resting_HQ - self.learned_HQ).clamp(min=0)
        key_QO = self.position_Q[:, None] + torch.arange(-NEAR, NEAR + 1, device=device)
        inside_QO = (key_QO >= 0) & (key_QO < map_.keys)
        self.counted_QO = inside_QO & ~self.sinks_K[key_QO.clamp(0, map_.keys - 1)]
        self.near_HQO = summary.near[0] * self.counted_QO

    def overlap(self) -> Tensor:
        """What each row has in common with the mean of the others by distance, summed over rows, [H]."""
        counted_HQO = self.seeing_HQ[..., None] & self.counted_QO
        others_HQO = (self.near_HQO.sum(1, keepdim=True) - self.near_HQO) / (
            counted_HQO.sum(1, keepdim=True) - 1
        ).clamp(min=1)
        return torch.minimum(self.near_HQO, others_HQO).sum((1, 2))

    def evidence(self, measures: dict[str, Tensor], overlap_H: Tensor) -> Evidence:
        """Divides what is awake by what is awake; 0 where nothing is."""
        total_H = self.awake_HQ.sum(-1)
        before_Q, marks_Q = self._visible(~self.sinks_K), self._visible(self._marks_K)
        free_HQ = self.seeing_HQ & (before_Q > 0)
        free_H = free_HQ.sum(-1).clamp(min=1)
        patterns = {
            "positional": overlap_H,
            "previous_token": self.near_HQO[..., NEAR - 1].sum(-1),
            "same": self.near_HQO[..., NEAR].sum(-1),
            "next_token": self.near_HQO[..., NEAR + 1].sum(-1),
            "punctuation": self.summary.received[0][:, self._marks_K].sum(-1),
        }
        weights = dict.fromkeys(patterns, total_H)
        if "induction" in measures:
            recurring_HQ = self.seeing_HQ & self.keys.recurs_K.to(self.seeing_HQ.device)
            for name in ("induction", "duplicate_token"):
                patterns[name] = measures[name].to(total_H.device) * recurring_HQ.sum(-1)
                weights[name] = (self.awake_HQ * recurring_HQ).sum(-1)
        entropy_H = measures["entropy"].to(total_H.device) * self.seeing_HQ.sum(-1) - self.resting_entropy_HQ.sum(-1)
        entropy_H = (entropy_H + torch.xlogy(self.awake_HQ, self.awake_HQ).sum(-1)).clamp(min=0)
        greatest_H = (self.awake_HQ * before_Q.clamp(min=1).log()).sum(-1)
        near_Q = torch.minimum(self.counted_QO.sum(-1), before_Q) / before_Q.clamp(min=1)
        # The part of the keys in sight that a row's weight covers, e to the entropy of them.
        covered_H = _part(entropy_H - greatest_H, total_H).exp()
        chance = {
            "punctuation": _part((self.awake_HQ * marks_Q / before_Q.clamp(min=1)).sum(-1), total_H),
            "positional": covered_H * _part((self.awake_HQ * near_Q).sum(-1), total_H),
        }
        special_H = (self.resting_HQ - self.first_HQ).masked_fill(~free_HQ, 0).sum(-1) / free_H
        return Evidence(
            self.map.site.kind,
            {name: _part(value, weights[name]).tolist() for name, value in patterns.items()},
            {name: value.tolist() for name, value in weights.items()},
            {name: value.tolist() for name, value in chance.items()},
            awake=(self.awake_HQ.masked_fill(~free_HQ, 0).sum(-1) / free_H).tolist(),
            special=special_H.tolist(),
            rested=free_HQ.sum(-1).float().tolist(),
            broad=_part(entropy_H, greatest_H).tolist(),
            tokens=_part(entropy_H, total_H, otherwise=0).exp().tolist(),
        )

    @property
    def _marks_K(self) -> Tensor:
        return self.keys.punctuation_K.to(self.sinks_K.device) & ~self.sinks_K

    def _on_sinks(self) -> tuple[Tensor, Tensor, Tensor]:
        """Of each row the weight on sinks, that on the first token, and -sum p ln p over sinks, [H, Q]."""
        weight, first, entropy = (torch.zeros(3, *self.seeing_HQ.shape, device=self.seeing_HQ.device)).unbind()
        for cols in _runs(self.sinks_K):
            step = max(1, TILE_VALUES // (len(cols) * self.map.heads))
            for start in range(0, self.map.queries, step):
                rows = range(start, min(start + step, self.map.queries))
                tile_HRS = self.map.tile(rows, cols)[0]
                at = (slice(None), slice(rows.start, rows.stop))
                weight[at] += tile_HRS.sum(-1)
                entropy[at] -= torch.xlogy(tile_HRS, tile_HRS).sum(-1)
                if self.first in cols and self.map.site.kind == "self":
                    first[at] = tile_HRS[..., self.first - cols.start]
        return weight, first, entropy

    def _visible(self, of_K: Tensor) -> Tensor:
        """How many of some keys each row may see, [Q]; patterns with holes are taken for whole."""
        spec, keys = self.map.spec, self.map.keys
        before, after = mask.reach(spec)
        start = self.position_Q * 0 if before is None else self.position_Q - before
        stop = self.position_Q * 0 + keys if after is None else self.position_Q + after + 1
        if spec.prefix:
            stop = stop.clamp(min=spec.prefix)
        lengths = keys if spec.key_lengths is None else int(spec.key_lengths[0])
        counts = torch.nn.functional.pad(of_K.long().cumsum(0), (1, 0))
        return (counts[stop.clamp(0, lengths)] - counts[start.clamp(self.first, keys)]).clamp(min=0)


def _runs(of_K: Tensor) -> Iterator[range]:
    """The runs of keys that lie side by side."""
    edges = torch.nn.functional.pad(of_K.int(), (1, 1)).diff().nonzero().flatten().tolist()
    yield from (range(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True))


def _part(value: Tensor, whole: Tensor, otherwise: float = 0.0) -> Tensor:
    return torch.where(whole > 1e-6, value / whole.clamp(min=1e-6), otherwise).clamp(max=1e6).float()
