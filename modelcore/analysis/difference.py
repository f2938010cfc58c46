"""How two maps of the same head differ, over the rows and keys that two runs share.

How far a row changed is its Jensen–Shannon distance, between 0 and 1: with p and q the weights that both runs lay on
the keys that they share, sinks left out, each scaled to sum to 1, and m = (p + q) / 2,

    distance = sqrt(H(m) - (H(p) + H(q)) / 2),   H(p) = -sum p log2 p

Source: Lin 1991, "Divergence measures based on the Shannon entropy", (4.1); its root is a metric: Endres and
Schindelin 2003, "A new metric for probability distributions".
"""

# H heads, R rows in both runs, C keys in both runs, P pairs, K keys, S rows that changed most

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.partners import NOBODY, Partners
from modelcore.analysis.sinks import sink_keys
from modelcore.layers.attention_map import AttentionMap

# Of weights held at once, in float64, of each of the two maps.
CHUNK_VALUES = 1 << 21
# Of a head's rows that are told one by one.
CHANGED_ROWS = 8
# A row that lays less than this on shared keys that are no sinks, in both runs, rests in both, and says nothing.
LEAST_AWAKE = 0.01
# Rows beyond what one answer may read are left out in runs of so many.
ROWS_TOGETHER = 8


@dataclass(frozen=True, eq=False)
class HeadChanges:
    """What became of all heads of one site.

    Shapes: distance_H, the mean over rows, NaN where no row could be compared. Of each head the CHANGED_ROWS that
    changed most, the most changed first, fewer where there are fewer: row_HS, a row of the first run, or -1;
    distance_HS; and the strongest shared key of that row in each run, as a place of its own run, with its weight as
    its map has it.
    """

    distance_H: npt.NDArray[np.float32]
    row_HS: npt.NDArray[np.int32]
    distance_HS: npt.NDArray[np.float32]
    key_a_HS: npt.NDArray[np.int32]
    weight_a_HS: npt.NDArray[np.float32]
    key_b_HS: npt.NDArray[np.int32]
    weight_b_HS: npt.NDArray[np.float32]
    rows_read: int


@dataclass(frozen=True, eq=False)
class SharedKeys:
    """Keys that both maps have, sinks of either left out, as places in each. [C]"""

    a_C: Tensor
    b_C: Tensor

    @classmethod
    def of(cls, a: AttentionMap, b: AttentionMap, keys: Partners, special_a: Tensor, special_b: Tensor) -> SharedKeys:
        pairs_P2 = torch.tensor(keys.pairs, dtype=torch.long).reshape(-1, 2)
        inside_P = (pairs_P2[:, 0] < a.keys) & (pairs_P2[:, 1] < b.keys)
        pairs_P2 = pairs_P2[inside_P]
        sinks_a_K, sinks_b_K = sink_keys(a, special_a), sink_keys(b, special_b)
        awake_P2 = pairs_P2[~(sinks_a_K[pairs_P2[:, 0]] | sinks_b_K[pairs_P2[:, 1]])]
        return cls(awake_P2[:, 0], awake_P2[:, 1])


@torch.no_grad()
def head_changes(
    a: AttentionMap,
    b: AttentionMap,
    rows: Partners,
    keys: SharedKeys,
    most_weights: int | None = None,
    portion: Portion = USUAL,
) -> HeadChanges:
    """How far each head changed from `a` to `b`, over the rows that both have.

    Cost: computes each weight of these rows once in either map. Where that would be more than `most_weights`, rows are
        left out evenly, and `rows_read` says how many were read.
    Memory: O(n): a chunk of rows, and a few numbers for each row and head.
    """
    pairs = [pair for pair in rows.pairs if pair[0] < a.queries and pair[1] < b.queries]
    if not len(keys.a_C):
        pairs = []
    pairs = _some(pairs, most_weights and most_weights // (a.heads * (a.keys + b.keys)))
    chunks = _chunks(pairs, a.heads, a.keys + b.keys, portion)
    found = [_Rows.between(a, b, a_rows, b_rows, keys) for a_rows, b_rows in chunks]
    return _summed_up(found, a.heads, len(pairs))


@torch.no_grad()
def read_difference(
    a: AttentionMap,
    b: AttentionMap,
    head: int,
    rows: range,
    cols: range,
    of_rows: Partners,
    of_keys: Partners,
    cell: int = 1,
    portion: Portion = USUAL,
) -> npt.NDArray[np.float32]:
    """The weights of `b` less those of `a` in a rectangle of `a`; NaN where a row or a key has no partner. With `cell`
    of each cell x cell block the value that is furthest from 0, with its sign.

    Shapes: [ceil(rows / cell), ceil(cols / cell)].
    Cost: computes each weight of the rectangle in either map, whatever the cell. Memory: some rows of it.
    """
    step = cell * max(1, portion.of(CHUNK_VALUES) // (len(cols) * cell))
    bands = [range(start, min(start + step, rows.stop)) for start in range(rows.start, rows.stop, step)]
    exact = (_exact_difference(a, b, head, band, cols, of_rows, of_keys, portion) for band in bands)
    return np.concatenate([band if cell == 1 else _furthest(band, cell) for band in exact])


def _exact_difference(
    a: AttentionMap,
    b: AttentionMap,
    head: int,
    rows: range,
    cols: range,
    of_rows: Partners,
    of_keys: Partners,
    portion: Portion,
) -> npt.NDArray[np.float32]:
    weights_a = a.tile(rows, cols, [head])[0, 0].float().cpu().numpy()
    difference = np.full(weights_a.shape, np.nan, dtype=np.float32)
    of_R, of_C = _inside(of_rows, rows, b.queries), _inside(of_keys, cols, b.keys)
    cols_C = np.flatnonzero(of_C != NOBODY)
    if not len(cols_C):
        return difference
    cols_b = range(int(of_C[cols_C].min()), int(of_C[cols_C].max()) + 1)
    pairs = [(int(row), int(of_R[row])) for row in np.flatnonzero(of_R != NOBODY)]
    for rows_a, rows_b in _chunks(pairs, 1, len(cols_b), portion):
        weights_b = b.tile(rows_b, cols_b, [head])[0, 0].float().cpu().numpy()
        there = weights_b[:, of_C[cols_C] - cols_b.start]
        difference[rows_a.start : rows_a.stop, cols_C] = there - weights_a[rows_a.start : rows_a.stop, cols_C]
    return difference


def _furthest(difference: npt.NDArray[np.float32], cell: int) -> npt.NDArray[np.float32]:
    height, width = (-(-side // cell) for side in difference.shape)
    padded = np.full((height * cell, width * cell), np.nan, dtype=np.float32)
    padded[: difference.shape[0], : difference.shape[1]] = difference
    blocks = padded.reshape(height, cell, width, cell).transpose(0, 2, 1, 3).reshape(height, width, cell * cell)
    furthest = np.where(np.isnan(blocks), -1, np.abs(blocks)).argmax(-1)[..., None]
    return np.take_along_axis(blocks, furthest, -1)[..., 0]


def _inside(partners: Partners, span: range, length: int) -> npt.NDArray[np.int64]:
    """Partners of some tokens that are rows or keys of the other map: the last written token of a run may be none."""
    of = np.full(len(span), NOBODY, dtype=np.int64)
    known = partners.of_N[span.start : span.stop]
    of[: len(known)] = np.where(known < length, known, NOBODY)
    return of


def _some(pairs: list[tuple[int, int]], most: int | None) -> list[tuple[int, int]]:
    """At most so many of them, spread evenly, in small runs that are read together."""
    if most is None or len(pairs) <= most:
        return pairs
    together = max(1, min(ROWS_TOGETHER, most))
    starts = np.linspace(0, len(pairs) - together, max(1, most // together)).astype(int).tolist()
    places = sorted({place for start in starts for place in range(start, start + together)})
    return [pairs[place] for place in places]


def _chunks(pairs: list[tuple[int, int]], heads: int, width: int, portion: Portion) -> Iterator[tuple[range, range]]:
    """Rows that follow one another in both runs, as many at once as memory is wide."""
    most = max(1, portion.of(CHUNK_VALUES) // (heads * max(1, width)))
    start = 0
    for place in range(1, len(pairs) + 1):
        follows = place < len(pairs) and pairs[place] == (pairs[place - 1][0] + 1, pairs[place - 1][1] + 1)
        if follows and place - start < most:
            continue
        (row_a, row_b), length = pairs[start], place - start
        yield range(row_a, row_a + length), range(row_b, row_b + length)
        start = place


@dataclass(frozen=True, eq=False)
class _Rows:
    """Some rows of all heads, [H, R]; distance is NaN where a row rests in both runs."""

    row_R: npt.NDArray[np.int64]
    distance_HR: npt.NDArray[np.float64]
    key_a_HR: npt.NDArray[np.int64]
    weight_a_HR: npt.NDArray[np.float64]
    key_b_HR: npt.NDArray[np.int64]
    weight_b_HR: npt.NDArray[np.float64]

    @classmethod
    def between(cls, a: AttentionMap, b: AttentionMap, rows_a: range, rows_b: range, keys: SharedKeys) -> _Rows:
        # Whole rows, because those alone are free of the log-sum-exp's rounding.
        p_HRC = a.tile(rows_a)[0].cpu()[..., keys.a_C].double()
        q_HRC = b.tile(rows_b)[0].cpu()[..., keys.b_C].double()
        weight_a, strongest_a = p_HRC.max(-1)
        weight_b, strongest_b = q_HRC.max(-1)
        return cls(
            np.arange(rows_a.start, rows_a.stop),
            _distance(p_HRC, q_HRC).numpy(),
            keys.a_C[strongest_a].numpy(),
            weight_a.numpy(),
            keys.b_C[strongest_b].numpy(),
            weight_b.numpy(),
        )


def _distance(p_HRC: Tensor, q_HRC: Tensor) -> Tensor:
    """The module's distance of rows that need not sum to 1; NaN where both rest."""
    awake_p, awake_q = p_HRC.sum(-1, keepdim=True), q_HRC.sum(-1, keepdim=True)
    p, q = p_HRC / awake_p, q_HRC / awake_q
    m = (p + q) / 2
    nats_HR = (torch.xlogy(p, p).sum(-1) + torch.xlogy(q, q).sum(-1)) / 2 - torch.xlogy(m, m).sum(-1)
    distance_HR = (nats_HR / math.log(2)).clamp(min=0, max=1).sqrt()
    says_something = torch.maximum(awake_p, awake_q)[..., 0] >= LEAST_AWAKE
    return distance_HR.where(says_something, torch.nan)


def _summed_up(found: list[_Rows], heads: int, rows_read: int) -> HeadChanges:
    if not found:
        none = np.zeros((heads, 0))
        return HeadChanges(
            np.full(heads, np.nan, np.float32),
            none.astype(np.int32),
            none.astype(np.float32),
            none.astype(np.int32),
            none.astype(np.float32),
            none.astype(np.int32),
            none.astype(np.float32),
            rows_read,
        )
    distance_HR = np.concatenate([some.distance_HR for some in found], axis=1)
    compared_H = (~np.isnan(distance_HR)).sum(1)
    total_H = np.nansum(distance_HR, axis=1)
    mean_H = np.divide(total_H, compared_H, out=np.full(heads, np.nan), where=compared_H > 0)
    # Stable, so that of rows that changed alike the first ones are told.
    order_HS = np.argsort(-np.nan_to_num(distance_HR, nan=-1), axis=1, kind="stable")[:, :CHANGED_ROWS]
    distance_HS = np.take_along_axis(distance_HR, order_HS, 1)

    def picked(name: str) -> npt.NDArray[np.float64]:
        return np.take_along_axis(np.concatenate([getattr(some, name) for some in found], axis=1), order_HS, 1)

    row_HS = np.concatenate([some.row_R for some in found])[order_HS]
    return HeadChanges(
        mean_H.astype(np.float32),
        np.where(np.isnan(distance_HS), -1, row_HS).astype(np.int32),
        distance_HS.astype(np.float32),
        picked("key_a_HR").astype(np.int32),
        picked("weight_a_HR").astype(np.float32),
        picked("key_b_HR").astype(np.int32),
        picked("weight_b_HR").astype(np.float32),
        rows_read,
    )
