"""Reads every weight once and counts those that are no numbers."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.stored import WEIGHT_DTYPES
from modelcore.checkpoints.tensor_file import pieces
from modelcore.checkpoints.weights import Weights


def require_finite(weights: Weights, unused: Collection[str]) -> dict[str, int]:
    """How many values of each tensor that the model has no use for are NaN or infinite.

    Raises: CheckpointError naming the first tensor that it does use, with both counts.
    """
    found: dict[str, int] = {}
    for name, tensor in weights.tensors.items():
        if tensor.dtype not in WEIGHT_DTYPES:
            continue
        nans = infinite = 0
        for piece in pieces(tensor):
            # One number tells for nearly all; a sum of finite weights may also overflow.
            if not piece.sum().isfinite():
                piece_nans = _count(piece.isnan())
                nans, infinite = nans + piece_nans, infinite + _count(~piece.isfinite()) - piece_nans
        if not nans + infinite:
            continue
        if name not in unused:
            raise CheckpointError(
                f"{name[:80]} holds {nans:,} NaN and {infinite:,} infinite values; the file is broken.",
                code="not_finite",
                field=name[:80],
            )
        found[name] = nans + infinite
    return found


def _count(marks: Tensor) -> int:
    return int(marks.sum())
