"""The rows that were computed last through all layers: a map's tiles lie side by side in the same ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor

KEPT_BYTES = 64 << 20


class RowsKept:
    """Of a worker, in memory: up to `limit_bytes`, and always the last."""

    def __init__(self, limit_bytes: int = KEPT_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._rows: OrderedDict[Hashable, Tensor] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """What is kept under this key, else what is made now."""
        if key not in self._rows:
            self._rows[key] = make()
        self._rows.move_to_end(key)
        while sum(rows.nbytes for rows in self._rows.values()) > self._limit_bytes and len(self._rows) > 1:
            self._rows.popitem(last=False)
        return self._rows[key]
