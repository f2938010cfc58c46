"""The overview of a map: small enough to send for every head, and never hiding a strong weight."""

# H heads, R rows and C columns of cells

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelcore.analysis.key_tokens import KeyTokens
from modelcore.analysis.labels import HeadLabel, labels_of
from modelcore.analysis.measures import measure
from modelcore.layers.attention_map import AttentionMap

__all__ = ["AttentionMap", "Overview", "overview_and_labels"]

OVERVIEW_CELLS = 64


@dataclass(frozen=True)
class Overview:
    """The maximum of every cell × cell block of each head's map, float32 (H, R, C); cell 1 is the map itself."""

    cell: int
    maximum: Tensor


def overview_and_labels(
    map_: AttentionMap, keys: KeyTokens
) -> tuple[Overview, dict[str, list[float]], list[HeadLabel]]:
    """What is told of a site, of all heads of the first sample: one pass over its map gives it all.

    The overview is pooled just enough that no side has more than OVERVIEW_CELLS cells.
    """
    cell = overview_cell(map_.queries, map_.keys)
    ids = keys.ids if map_.site.kind == "self" else None
    summary = map_.summary(cell, None if ids is None else torch.tensor([ids], device=map_.lse_BHQ.device))
    measures, evidence = measure(map_, summary, keys)
    return Overview(cell, summary.maximum[0]), measures, labels_of(evidence)


def overview_cell(queries: int, keys: int) -> int:
    """The smallest power of two that covers the longer side with OVERVIEW_CELLS cells."""
    cell = 1
    while cell * OVERVIEW_CELLS < max(queries, keys):
        cell *= 2
    return cell
