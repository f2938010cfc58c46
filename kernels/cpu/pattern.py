"""Masks that are no band: prefix, stride, global tokens, random blocks, documents. Chunks of them, in O(n) memory.

Rows of a chunk see few of the blocks of keys; the others are skipped:

    keys    |G...|....|....|.r..|....|.www|w...|....|      runs = blocks 0, 3 and 5 to 6
"""

from __future__ import annotations

import torch
from torch import Tensor

from kernels import mask
from kernels.cpu.pairs import Pairs
from kernels.spec import AttentionSpec

# B batch, H query heads, Q queries, K keys
# N pairs of batch and key/value head, R query heads of each


class Pattern:
    """The mask of one call but for padding, biases and edits, and what of it had to be looked up once."""

    def __init__(self, spec: AttentionSpec, queries: int, keys: int, pairs: Pairs, device: torch.device) -> None:
        self.spec, self.queries, self.keys, self.pairs = spec, queries, keys, pairs
        self.offset = keys - queries
        self.j = torch.arange(keys, device=device)
        self.starts_B = self.j.new_zeros(1) if spec.key_starts is None else spec.key_starts
        self.global_BK = self._global()
        rules = (spec.window, spec.stride, spec.random_blocks, self.global_BK)
        self.none = all(rule is None for rule in rules)

    def runs(self, rows: range, pairs: slice, within: range, step: int) -> list[range]:
        """The runs of whole blocks of `step` keys, counted from within.start, where some pair may be seen."""
        columns = self._columns(rows, pairs)[within.start : within.stop]
        blocks = torch.nn.functional.pad(columns, (0, -len(within) % step)).view(-1, step).any(-1).tolist()
        runs: list[range] = []
        for block, seen in enumerate(blocks):
            if not seen:
                continue
            start = within.start + block * step
            stop = min(start + step, within.stop)
            if runs and runs[-1].stop == start:
                runs[-1] = range(runs[-1].start, stop)
            else:
                runs.append(range(start, stop))
        return runs

    def visible(self, rows: range, cols: range, pairs: slice) -> Tensor:
        """Which pairs are seen, bool [n or 1, R or 1, len(rows), len(cols)]; padding aside."""
        spec = self.spec
        position = torch.arange(rows.start, rows.stop, device=self.j.device)[:, None] + self.offset
        j = self.j[cols.start : cols.stop]
        seen = self._pattern(position, cols, pairs)
        if spec.causal:
            seen = seen & (j <= position)
        if spec.prefix:
            seen = seen | (j < spec.prefix + self.pairs.of_sequence(self.starts_B, pairs)[:, None, None, None])
        if spec.documents is not None:
            documents = self.pairs.of_sequence(spec.documents, pairs)
            own = documents[:, self.offset + rows.start : self.offset + rows.stop]
            seen = seen & (own[:, None, :, None] == documents[:, None, None, cols.start : cols.stop])
        return seen

    def _pattern(self, position: Tensor, cols: range, pairs: slice) -> Tensor:
        spec, j = self.spec, self.j[cols.start : cols.stop]
        seen = torch.full((1, 1, len(position), len(cols)), self.none, device=j.device)
        unit, own = j // spec.block, position // spec.block
        if spec.window is not None:
            before, after = mask.reach(spec)
            assert before is not None and after is not None
            seen = seen | ((unit <= own + after) & (unit >= own - before))
        if spec.stride is not None:
            seen = seen | ((own - unit) % spec.stride == 0)
        if spec.random_blocks is not None:
            seen = seen | self._random(own[:, 0], unit, pairs)
        if self.global_BK is not None:
            keys = self.pairs.of_sequence(self.global_BK, pairs)
            queries = keys[:, position[:, 0].clamp(min=0)] & (position[:, 0] >= 0)
            seen = seen | keys[:, None, None, cols.start : cols.stop] | queries[:, None, :, None]
        return seen

    def _random(self, own: Tensor, unit: Tensor, pairs: slice) -> Tensor:
        assert self.spec.random_blocks is not None
        drawn = self.pairs.of_head(self.spec.random_blocks.long(), pairs)
        first = max(int(own[0]), 0)
        drawn = drawn[:, :, first : int(own[-1]) + 1]
        seen = drawn.new_zeros(*drawn.shape[:3], -(-self.keys // self.spec.block), dtype=torch.bool)
        seen.scatter_(-1, drawn, True)
        if not seen.shape[2]:
            return seen.new_zeros(1, 1, len(own), len(unit))
        return seen[:, :, (own - first).clamp(min=0)][..., unit] & (own >= 0)[:, None]

    def _columns(self, rows: range, pairs: slice) -> Tensor:
        """The keys that some of these rows may see, bool [K]: never too few."""
        spec, j = self.spec, self.j
        first, last = rows.start + self.offset, rows.stop - 1 + self.offset
        unit, unit_first, unit_last = j // spec.block, first // spec.block, last // spec.block
        seen = torch.full_like(j, self.none, dtype=torch.bool)
        if spec.window is not None:
            before, after = mask.reach(spec)
            assert before is not None and after is not None
            seen |= (unit >= unit_first - before) & (unit <= unit_last + after)
        if spec.stride is not None:
            seen |= (unit - unit_first) % spec.stride <= unit_last - unit_first
        if spec.random_blocks is not None:
            drawn = spec.random_blocks[:, max(unit_first, 0) : max(unit_last + 1, 0)]
            seen |= torch.isin(unit, drawn)
        if self.global_BK is not None:
            keys = self.pairs.of_sequence(self.global_BK, pairs)
            seen |= keys.any(0) | keys[:, max(first, 0) : max(last + 1, 0)].any()
        if spec.causal:
            seen &= j <= last
        if spec.prefix:
            seen |= j < spec.prefix + self.pairs.of_sequence(self.starts_B, pairs).max()
        if spec.documents is not None:
            documents = self.pairs.of_sequence(spec.documents, pairs)
            own = documents[:, first : last + 1]
            low, high = own.amin(1, keepdim=True), own.amax(1, keepdim=True)
            seen &= ((documents >= low) & (documents <= high)).any(0)
        return seen

    def _global(self) -> Tensor | None:
        """Which keys are global tokens, bool [B or 1, K]."""
        tokens = self.spec.global_tokens
        if isinstance(tokens, Tensor):
            tokens = tokens.long() if tokens.dim() == 2 else tokens.long()[None]
            return tokens.new_zeros(len(tokens), self.keys, dtype=torch.bool).scatter_(1, tokens, True)
        if not tokens:
            return None
        starts = self.starts_B[:, None]
        return (self.j >= starts) & (self.j < starts + tokens)
