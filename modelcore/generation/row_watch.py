"""What is watched while a model writes: each head's new row, ready to be sent, and the maps of the prompt."""

# H heads, R rows and C columns of cells, K keys, N values of all sites together

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from modelcore.config import AttentionSite
from modelcore.layers.attention_map import AttentionMap

# Columns of a row: up to so many tokens each has its own, then they are pooled.
MOST_COLUMNS = 256
# Cells a side of the prompt's maps: 12 x 12 heads of 128 x 128 cells are 4.7 MB.
MOST_PROMPT_CELLS = 128
# A probability as 16 bits, p = value / FULL: off by 7.7e-6 at most.
FULL = 65_535
# What may be used of an AttentionSpec by a row that is a softmax of scaled products.
PLAIN = frozenset({"causal", "window"})


class RowOf(NamedTuple):
    """Whose row comes next in `NewRows.values`, and over how many keys it goes, before they are pooled."""

    site: AttentionSite
    heads: int
    keys: int


@dataclass(frozen=True)
class NewRows:
    """The last row of every map of the decoder, in 16 bits: heads x ceil(keys / cell) values a site, one after another.

    A cell holds the largest probability of its keys. Keys that a sliding window has forgotten are 0.
    """

    cell: int
    sites: list[RowOf]
    values_N: NDArray[np.uint16]


@dataclass(frozen=True)
class PromptRows:
    """A site's map of the prompt in 16 bits, pooled by maximum over cell x cell: uint16 (H, R, C)."""

    site: AttentionSite
    causal: bool
    rows: int
    keys: int
    cell: int
    values_HRC: NDArray[np.uint16]


class RowWatch:
    """A tap for `generate`: takes the last row of each reading, and keeps the maps of the first one, the prompt's.

    Cost: one small tile a site, and one conversion a token of all of them together.
    """

    def __init__(self, longest: int) -> None:
        """`longest` is how many tokens the finished text may have; the cell of all rows follows from it."""
        self.cell = cell_for(longest, MOST_COLUMNS)
        self._rows: list[_Row] = []
        self._prompt: list[AttentionMap] = []
        self._is_read = False

    def __call__(self, map_: AttentionMap) -> None:
        if map_.site.stack != "decoder":
            return
        self._rows.append(_Row.of(map_))
        if not self._is_read:
            self._prompt.append(map_)

    def handed_over(self) -> NewRows:
        """The rows of the last reading."""
        self._is_read = True
        rows, self._rows = self._rows, []
        sites = [RowOf(row.site, row.heads, row.keys) for row in rows]
        return NewRows(self.cell, sites, in_16_bits(self._values(rows)))

    def prompt(self) -> Iterator[PromptRows]:
        """The maps of the prompt, each forgotten when the next is asked for."""
        while self._prompt:
            map_ = self._prompt.pop(0)
            cell = max(self.cell, cell_for(max(map_.queries, map_.keys), MOST_PROMPT_CELLS))
            values_HRC = map_.tile()[0] if cell == 1 else map_.pool(cell, mean=False).maximum[0]
            yield PromptRows(map_.site, map_.spec.causal, map_.queries, map_.keys, cell, in_16_bits(values_HRC))

    def _values(self, rows: list[_Row]) -> Tensor:
        """Cost: one softmax of all sites together where they are alike, as a plain decoder's are."""
        first = rows[0]
        if self.cell == 1 and all(row.is_like(first) for row in rows):
            return first.softmax(torch.cat([row.scores_GSK.flatten(0, 1) for row in rows])).flatten()  # type: ignore[union-attr]
        return torch.cat([self._pooled(row.probabilities_HK(), row.first_key).flatten() for row in rows])

    def _pooled(self, row_HK: Tensor, first_key: int) -> Tensor:
        if first_key == 0 and self.cell == 1:
            return row_HK
        keys = first_key + row_HK.shape[1]
        row_HK = functional.pad(row_HK, (first_key, -keys % self.cell))
        return row_HK.unflatten(-1, (-1, self.cell)).amax(-1)


@dataclass(frozen=True)
class _Row:
    """The last row of a map. A token that is read alone sees every key of a causal map, so where a score is a scaled
    product and nothing more, the row is a plain softmax of few products: a tenth of a tile's time.
    """

    site: AttentionSite
    heads: int
    keys: int
    first_key: int
    scale: float
    # Before scale and softmax, (G, S, K): S heads share the keys of each of G; None where the map was asked.
    scores_GSK: Tensor | None
    row_HK: Tensor | None

    @classmethod
    def of(cls, map_: AttentionMap) -> _Row:
        spec, keys = map_.spec, map_.first_key + map_.keys
        scores = row = None
        if map_.queries > 1 or not spec.used <= PLAIN or (spec.window is not None and map_.keys > spec.window):
            row = map_.tile(range(map_.queries - 1, map_.queries))[0, :, 0]
        else:
            k_GKD = map_.k_BGKD[0]
            # One query: (H, 1, D), which is (G, S, D) where no keys are shared.
            q_GSD = map_.q_BHQD[0] if map_.heads == len(k_GKD) else map_.q_BHQD[0, :, 0].unflatten(0, (len(k_GKD), -1))
            scores = torch.bmm(q_GSD, k_GKD.transpose(1, 2))
        return cls(map_.site, map_.heads, keys, map_.first_key, spec.scale, scores, row)

    def is_like(self, other: _Row) -> bool:
        """Whether both can be one softmax."""
        if self.scores_GSK is None or other.scores_GSK is None or self.first_key or other.first_key:
            return False
        return self.keys == other.keys and self.scale == other.scale

    def probabilities_HK(self) -> Tensor:
        if self.row_HK is not None:
            return self.row_HK
        assert self.scores_GSK is not None
        return self.softmax(self.scores_GSK.flatten(0, 1))

    def softmax(self, scores_HK: Tensor) -> Tensor:
        return (scores_HK * self.scale).softmax(-1, dtype=torch.float32)


def cell_for(length: int, most: int) -> int:
    """The smallest power of two that covers a length with at most so many cells."""
    cell = 1
    while cell * most < length:
        cell *= 2
    return cell


def in_16_bits(probabilities: Tensor) -> NDArray[np.uint16]:
    return (probabilities * FULL + 0.5).clamp_(0, FULL).to(torch.int32).cpu().numpy().astype(np.uint16)
