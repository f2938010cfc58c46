"""Keys and values of what a decoder has read, so that each new token costs one row."""

# B batch, G key/value heads, K keys, N new tokens, D head width

from __future__ import annotations

import torch
from torch import Tensor

from modelcore.config import AttentionSite

SMALLEST_ROOM = 64


class KeyValues:
    """Keys and values of one site, in a buffer that doubles; or the last `window` of them only."""

    def __init__(self, window: int | None) -> None:
        self.window = window
        self.count = 0
        self._k: Tensor | None = None
        self._v: Tensor | None = None

    def extend(self, k_BGND: Tensor, v_BGND: Tensor) -> tuple[Tensor, Tensor]:
        """Appends, and returns what the new queries may see, (B, G, K, D) both."""
        if self.window is None:
            self._make_room(k_BGND, v_BGND)
            assert self._k is not None and self._v is not None
            new = k_BGND.shape[2]
            self._k.narrow(2, self.count, new).copy_(k_BGND)
            self._v.narrow(2, self.count, new).copy_(v_BGND)
            self.count += new
            return self._k.narrow(2, 0, self.count), self._v.narrow(2, 0, self.count)
        if self._k is not None and self._v is not None:
            k_BGND, v_BGND = torch.cat([self._k, k_BGND], dim=2), torch.cat([self._v, v_BGND], dim=2)
        # A later query's window holds itself and window - 1 keys before it.
        self.count = min(k_BGND.shape[2], self.window - 1)
        start = k_BGND.shape[2] - self.count
        self._k, self._v = k_BGND[:, :, start:], v_BGND[:, :, start:]
        return k_BGND, v_BGND

    def reorder(self, rows_B: Tensor) -> None:
        if self._k is not None and self._v is not None:
            self._k, self._v = self._k[rows_B], self._v[rows_B]

    def _make_room(self, k_BGND: Tensor, v_BGND: Tensor) -> None:
        needed = self.count + k_BGND.shape[2]
        if self._k is not None and self._v is not None and self._k.shape[2] >= needed:
            return
        room = max(SMALLEST_ROOM, 1 << (needed - 1).bit_length())
        old = (self._k, self._v)
        self._k, self._v = (x.new_empty(*x.shape[:2], room, x.shape[3]) for x in (k_BGND, v_BGND))
        for new, kept in zip((self._k, self._v), old, strict=True):
            if kept is not None:
                new[:, :, : self.count] = kept[:, :, : self.count]


class Cache:
    """What a decoder keeps between calls. `length` counts the tokens read; all batch rows have as many.

    A layer that sees nothing but a window keeps no more than that. The keys and values that
    cross-attention makes of the encoder's output are kept as well. Where a longer text changes what its older tokens
    saw, their keys are outdated: `modelcore.generation.reader` knows when, and reads anew.
    """

    def __init__(self) -> None:
        self.length = 0
        self._read: dict[AttentionSite, KeyValues] = {}
        self._memory: dict[AttentionSite, tuple[Tensor, Tensor]] = {}

    def extend(self, site: AttentionSite, k_BGND: Tensor, v_BGND: Tensor, window: int | None) -> tuple[Tensor, Tensor]:
        """The site's keys and values with the new ones appended. `length` follows with `advance`."""
        if site not in self._read:
            self._read[site] = KeyValues(window)
        return self._read[site].extend(k_BGND, v_BGND)

    def advance(self, tokens: int) -> None:
        """Counts the tokens that every site has been given."""
        self.length += tokens

    def memory(self, site: AttentionSite) -> tuple[Tensor, Tensor] | None:
        return self._memory.get(site)

    def keep_memory(self, site: AttentionSite, k_BGKD: Tensor, v_BGKD: Tensor) -> None:
        self._memory[site] = (k_BGKD, v_BGKD)

    def reorder(self, rows_B: Tensor) -> None:
        """Batch row i goes on from what row rows[i] has read, as beams do."""
        for kept in self._read.values():
            kept.reorder(rows_B)
        self._memory = {site: (k[rows_B], v[rows_B]) for site, (k, v) in self._memory.items()}
