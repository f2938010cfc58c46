"""The overview of a map: small enough to send for every head, and never hiding a strong weight."""

# H heads, R rows and C columns of cells

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from modelcore.layers.attention_map import AttentionMap

__all__ = ["AttentionMap", "Overview", "overview_and_measures"]

OVERVIEW_CELLS = 64


@dataclass(frozen=True)
class Overview:
    """The maximum of every cell × cell block of each head's map, float32 (H, R, C); cell 1 is the map itself."""

    cell: int
    maximum: Tensor


def overview_and_measures(map_: AttentionMap, token_ids_BK: Tensor | None) -> tuple[Overview, dict[str, list[float]]]:
    """What is told of a site, of all heads of the first sample: one pass over its map gives both.

    The overview is pooled just enough that no side has more than OVERVIEW_CELLS cells.
    """
    cell = overview_cell(map_.queries, map_.keys)
    maximum_BHRC, measures = map_.summary(cell, token_ids_BK)
    return Overview(cell, maximum_BHRC[0]), {name: means_BH[0].tolist() for name, means_BH in measures.items()}


def overview_cell(queries: int, keys: int) -> int:
    """The smallest power of two that covers the longer side with OVERVIEW_CELLS cells."""
    cell = 1
    while cell * OVERVIEW_CELLS < max(queries, keys):
        cell *= 2
    return cell
