"""All that the scores of one row are made of, term by term: AttentionSpec's definition, read for one query.

In float64 from the kept q and k, whatever dtype they have: what the kernels fold together stands apart here, so that
a person can follow it.
"""

# D head width, K keys

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from kernels.spec import AttentionSpec
from kernels.spec.distance_bias import t5_bucket
from modelcore.layers.attention_map import AttentionMap


@dataclass(frozen=True, eq=False)
class ScoreTerms:
    """One row's terms, of every key, float64; see `AttentionSpec` for how they come together.

    dot_K        q·k, or what the spec's `additive` makes of both
    relative_K   what relative keys add to it; None without them
    scaled_K     scale × (dot + relative)
    capped_K     the same after the softcap, or as it was
    biases       what is added, by name: alibi, t5, bias (the model's own), edit
    hidden_by    which keys each rule hides, bool: causal, window, pattern, documents, padding, bias, edit
    score_K      what goes into the softmax; -inf where any rule hides the key
    factor_K     of the weight after the softmax; None where no edges are scaled
    """

    query_D: Tensor
    key_KD: Tensor
    dot_K: Tensor
    relative_K: Tensor | None
    scaled_K: Tensor
    capped_K: Tensor
    biases: dict[str, Tensor]
    hidden_by: dict[str, Tensor]
    score_K: Tensor
    factor_K: Tensor | None


def score_terms(map_: AttentionMap, head: int, row: int) -> ScoreTerms:
    """The terms of one row of one head, first sample. Cost: reads all of the head's keys, O(K × D)."""
    spec = map_.spec.for_sequence(0).for_heads([head])
    group = head // (map_.heads // map_.k_BGKD.shape[1])
    query_D, key_KD = map_.q_BHQD[0, head, row].double(), map_.k_BGKD[0, group].double()
    position = row + map_.keys - map_.queries
    j_K = torch.arange(map_.keys, device=key_KD.device)
    distance_K = j_K - position

    relative_K = None
    dot_K = key_KD @ query_D if spec.additive is None else torch.tanh(query_D + key_KD) @ spec.additive[0].double()
    if spec.relative_keys is not None:
        table_CD = spec.relative_keys.double().flatten(0, -2)
        reach = len(table_CD) // 2
        relative_K = (table_CD @ query_D)[distance_K.clamp(-reach, reach) + reach]
    scaled_K = spec.scale * (dot_K if relative_K is None else dot_K + relative_K)
    capped_K = scaled_K if spec.softcap is None else spec.softcap * torch.tanh(scaled_K / spec.softcap)

    sets_K = _edge_sets(spec, row)
    biases = _biases(spec, row, distance_K, sets_K)
    hidden_by = _masks(spec, position, j_K)
    hidden_by |= {name: bias_K == -torch.inf for name, bias_K in biases.items() if name in ("bias", "edit")}
    hidden_K = functools.reduce(torch.logical_or, hidden_by.values(), torch.zeros_like(j_K, dtype=torch.bool))
    score_K = functools.reduce(torch.add, biases.values(), capped_K).masked_fill(hidden_K, -torch.inf)
    factor_K = None
    if spec.edge_scale is not None and sets_K is not None:
        factor_K = torch.ones_like(score_K)
        for s, factor in enumerate(spec.edge_scale.tolist()):
            factor_K = torch.where((sets_K >> s & 1).bool(), factor_K * factor, factor_K)
    return ScoreTerms(query_D, key_KD, dot_K, relative_K, scaled_K, capped_K, biases, hidden_by, score_K, factor_K)


def _edge_sets(spec: AttentionSpec, row: int) -> Tensor | None:
    """Which sets of edges each key of the row is in, as bits."""
    if spec.edge_queries is None or spec.edge_keys is None:
        return None
    return spec.edge_queries[0, 0, row] & spec.edge_keys[0, 0]


def _biases(spec: AttentionSpec, row: int, distance_K: Tensor, sets_K: Tensor | None) -> dict[str, Tensor]:
    biases: dict[str, Tensor] = {}
    if spec.alibi_slopes is not None:
        biases["alibi"] = -spec.alibi_slopes[0].double() * distance_K.abs()
    if spec.t5_bias is not None:
        biases["t5"] = spec.t5_bias.detach()[t5_bucket(spec, distance_K), 0].double()
    if spec.bias is not None:
        biases["bias"] = spec.bias[0, 0, row].double()
    if spec.edge_bias is not None and sets_K is not None:
        biases["edit"] = torch.zeros_like(distance_K, dtype=torch.float64)
        for s, bias in enumerate(spec.edge_bias.tolist()):
            biases["edit"] = torch.where((sets_K >> s & 1).bool(), biases["edit"] + bias, biases["edit"])
    return biases


def _masks(spec: AttentionSpec, position: int, j_K: Tensor) -> dict[str, Tensor]:
    """What each rule hides by itself; a prefix is seen whatever causality and pattern say."""
    start = 0 if spec.key_starts is None else int(spec.key_starts[0])
    in_prefix_K = j_K < start + spec.prefix
    hidden_by: dict[str, Tensor] = {}
    if spec.causal:
        hidden_by["causal"] = (j_K > position) & ~in_prefix_K
    rules = _pattern(spec, position, j_K, start)
    if rules:
        held_K = functools.reduce(torch.logical_or, rules.values())
        hidden_by["window" if set(rules) == {"window"} else "pattern"] = ~held_K & ~in_prefix_K
    if spec.documents is not None:
        hidden_by["documents"] = spec.documents[0] != spec.documents[0, position]
    if spec.key_lengths is not None or spec.key_starts is not None:
        stop = len(j_K) if spec.key_lengths is None else int(spec.key_lengths[0])
        hidden_by["padding"] = (j_K < start) | (j_K >= stop)
    return hidden_by


def _pattern(spec: AttentionSpec, position: int, j_K: Tensor, start: int) -> dict[str, Tensor]:
    """The keys that each rule of the pattern holds; one is enough."""
    own, unit_K = position // spec.block, j_K // spec.block
    rules: dict[str, Tensor] = {}
    if spec.window is not None:
        back_K = own - unit_K
        rules["window"] = back_K < spec.window if spec.causal else back_K.abs() <= spec.window
    if spec.stride is not None:
        rules["stride"] = (own - unit_K) % spec.stride == 0
    if isinstance(spec.global_tokens, Tensor):
        tokens_T = spec.global_tokens.view(-1, spec.global_tokens.shape[-1])[0]
        rules["global_tokens"] = torch.isin(j_K, tokens_T) | bool((tokens_T == position).any())
    elif spec.global_tokens:
        stop = start + spec.global_tokens
        rules["global_tokens"] = ((j_K >= start) & (j_K < stop)) | (start <= position < stop)
    if spec.random_blocks is not None:
        drawn = spec.random_blocks[0, max(own, 0)]
        rules["random_blocks"] = torch.isin(unit_K, drawn) & (position >= 0)
    return rules
