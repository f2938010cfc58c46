"""Numbers that say what the heads of a site do, and the evidence from which labels are made."""

# H heads, K keys, O offsets from the own position, NEAR on each side

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from kernels.spec import NEAR, Summary
from modelcore.analysis.key_tokens import KeyTokens
from modelcore.analysis.sinks import Sight, Weights
from modelcore.layers.attention_map import AttentionMap

Values = npt.NDArray[np.float32]
# Less awake weight than this is rounding.
NOTHING = 1e-6


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


def measure(map_: AttentionMap, summary: Summary, keys: KeyTokens) -> tuple[dict[str, list[float]], Evidence]:
    """The measures of every head of the first sample, and the evidence for labels.

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
    sight = Sight.of(map_, keys)
    weights = Weights.of(map_, summary, sight)
    rows_H = weights.rows("seeing").clip(min=1)
    received_HK = summary.received[0]
    columns = torch.stack([sight.marks_K, sight.special_K], 1).to(received_HK.dtype)
    marks_H, special_H = (received_HK @ columns).T.cpu().numpy()
    measures = {name: means_BH[0].float().cpu().numpy() for name, means_BH in summary.measures.items()}
    measures |= {
        "received": received_HK.masked_fill(sight.sinks_K, 0).amax(-1).cpu().numpy() / rows_H,
        "punctuation": marks_H / rows_H,
        "special": special_H / rows_H,
        "sink": (weights.rows("seeing") - weights.awake("seeing")) / rows_H,
        "positional": weights.overlap_H / rows_H,
    }
    if keys.ids is None:
        del measures["punctuation"]
    told = {name: values_H.clip(min=0).tolist() for name, values_H in measures.items()}
    return told, _evidence(map_.site.kind, measures, weights, marks_H)


def _evidence(kind: str, measures: dict[str, Values], weights: Weights, marks_H: Values) -> Evidence:
    """Divides what is awake by what is awake; 0 where nothing is."""
    total_H, free_H = weights.awake("seeing"), weights.rows("free").clip(min=1)
    patterns = {
        "positional": weights.overlap_H,
        "previous_token": weights.near_HO[:, NEAR - 1],
        "same": weights.near_HO[:, NEAR],
        "next_token": weights.near_HO[:, NEAR + 1],
        "punctuation": marks_H,
    }
    whole = dict.fromkeys(patterns, total_H)
    for name in measures.keys() & {"induction", "duplicate_token"}:
        patterns[name] = measures[name] * weights.rows("recurring")
        whole[name] = weights.awake("recurring")
    entropy_H = (measures["entropy"] * weights.rows("seeing") + weights.awake_entropy_H).clip(min=0)
    # The part of the keys in sight that a row's weight covers, e to the entropy of them.
    covered_H = np.exp(_part(entropy_H - weights.awake("log keys"), total_H))
    chance = {
        "punctuation": _part(weights.awake("marks"), total_H),
        "positional": covered_H * _part(weights.awake("near"), total_H),
    }
    return Evidence(
        kind,
        {name: _part(value, whole[name]).tolist() for name, value in patterns.items()},
        {name: value.tolist() for name, value in whole.items()},
        {name: value.tolist() for name, value in chance.items()},
        awake=(weights.awake("free") / free_H).tolist(),
        special=((weights.resting("free") - weights.first("free")) / free_H).tolist(),
        rested=weights.rows("free").tolist(),
        broad=_part(entropy_H, weights.awake("log keys")).tolist(),
        tokens=np.exp(_part(entropy_H, total_H)).tolist(),
    )


def _part(value_H: Values, whole_H: Values) -> Values:
    return np.where(whole_H > NOTHING, value_H / whole_H.clip(min=NOTHING), 0)
