"""One weight of a map taken apart, from the products of a query and a key to the share that the softmax gives."""

# D head width, K keys

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from modelcore.analysis.score_terms import ScoreTerms, score_terms
from modelcore.layers.attention_map import MATERIALISED, ROUNDING, AttentionMap

STRONGEST = 5

# "dot": products are q[d] · k[d]. "additive": v[d] · tanh(q[d] + k[d]), which is no q·k (Bahdanau et al. 2014).
# "whole": the model handed its map out, and nobody knows what made it.
PairRule = Literal["dot", "additive", "whole"]


@dataclass(frozen=True, eq=False)
class Pair:
    """How the weight of key `col` in row `row` of one head comes about.

        weight = exp(score − log_sum_exp) × factor
        score  = softcap · tanh(scaled / softcap) + the biases           where the pair is seen, else −inf
        scaled = scale × (product + relative), and product the sum of products_D

    `turned`: whether query and key stand as rotary positions turned them, None if unknown. `relative`, `softcap` and
    `factor` are None where they play no part. `hidden_by` names every rule that hides the pair. `sink` is the logit
    that joins the row's sum beside its keys. Of the row: how many keys it sees, its largest score and its strongest
    keys. Shapes: products, query and key [D], float64; empty for the rule "whole". Units: nats, but for weights.
    """

    row: int
    col: int
    rule: PairRule
    turned: bool | None
    query_D: Tensor
    key_D: Tensor
    products_D: Tensor
    product: float
    relative: float | None
    scale: float
    scaled: float
    softcap: float | None
    capped: float
    biases: dict[str, float]
    hidden_by: list[str]
    score: float
    log_sum_exp: float
    factor: float | None
    weight: float
    sink: float | None
    seen: int
    largest_score: float
    strongest: list[tuple[int, float]]
    implementation: str


@torch.no_grad()
def read_pair(map_: AttentionMap, head: int, row: int, col: int) -> Pair:
    """The weight that `AttentionMap.tile` gives in whole rows, with all that it is made of.

    In float64 from the kept q and k. The log-sum-exp is the kept one, to the rounding that `tile` takes out too.
    Cost: one row of the map.
    """
    terms = score_terms(map_, head, row)
    log_sum_exp = _log_sum_exp(map_, terms, float(map_.lse_BHQ[0, head, row]))
    weights_K = (terms.score_K - (log_sum_exp if log_sum_exp > -math.inf else math.inf)).exp()
    if terms.factor_K is not None:
        weights_K = weights_K * terms.factor_K
    strongest = weights_K.topk(min(STRONGEST, len(weights_K)))
    rule, query_D, key_D, products_D = _products(map_, terms, head, col)
    return Pair(
        row=row,
        col=col,
        rule=rule,
        turned=map_.turned,
        query_D=query_D,
        key_D=key_D,
        products_D=products_D,
        product=float(terms.dot_K[col]),
        relative=None if terms.relative_K is None else float(terms.relative_K[col]),
        scale=map_.spec.scale,
        scaled=float(terms.scaled_K[col]),
        softcap=map_.spec.softcap,
        capped=float(terms.capped_K[col]),
        biases={name: float(bias_K[col]) for name, bias_K in terms.biases.items() if bias_K[col] > -math.inf},
        hidden_by=[name for name, hidden_K in terms.hidden_by.items() if hidden_K[col]],
        score=float(terms.score_K[col]),
        log_sum_exp=log_sum_exp,
        factor=None if terms.factor_K is None else float(terms.factor_K[col]),
        weight=float(weights_K[col]),
        sink=None if map_.spec.sinks is None else float(map_.spec.sinks[head]),
        seen=int((terms.score_K > -math.inf).sum()),
        largest_score=float(terms.score_K.max()),
        strongest=[
            (key, weight)
            for key, weight in zip(strongest.indices.tolist(), strongest.values.tolist(), strict=True)
            if weight > 0
        ],
        implementation=map_.implementation,
    )


def _log_sum_exp(map_: AttentionMap, terms: ScoreTerms, kept: float) -> float:
    """The kept one; its rounding is taken out where that is what keeps the row off 1, as `tile` does."""
    if kept == -math.inf or not map_.sums_to_one:
        return kept
    off = float(terms.score_K.logsumexp(-1)) - kept
    return kept + off if abs(math.expm1(off)) < ROUNDING else kept


def _products(map_: AttentionMap, terms: ScoreTerms, head: int, col: int) -> tuple[PairRule, Tensor, Tensor, Tensor]:
    query_D, key_D = terms.query_D, terms.key_KD[col]
    if map_.implementation == MATERIALISED:
        nothing = query_D[:0]
        return "whole", nothing, nothing, nothing
    if map_.spec.additive is not None:
        return "additive", query_D, key_D, map_.spec.additive[head].double() * torch.tanh(query_D + key_D)
    return "dot", query_D, key_D, query_D * key_D
