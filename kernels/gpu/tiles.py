"""Which tiles of the map a program makes, and which of them it must mask.

Bands (causality, windows, padding) are bounded by arithmetic in the kernel. One row of tiles under a causal window:

    | skipped | masked |   no mask needed   | masked | skipped |
              start    inner_start     inner_stop    stop

Other patterns are summed up outside first: each tile is skipped, masked or full, and each row (or, for kernels
that walk down the columns, each column) has a list of its full tiles and then its masked ones, in order.

Either way a kernel makes two walks, over the tiles that need no mask and then over those that do. A walk is

    steps, low, gap_at, gap     tiles low, low + 1 ... and from step gap_at on, `gap` further
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels import mask
from kernels.gpu.scores import keys_from
from kernels.spec import AttentionSpec

# B batch, H query heads, Q queries, K keys, R and C rows and columns of tiles, N lines of tiles, M tiles of a line


class Lists(NamedTuple):
    """For each line of tiles its full ones and then its masked ones, and how many of each lie before a tile."""

    order: Tensor  # int32 [B or 1, H or 1, N, M]
    full: Tensor  # int32 [B or 1, H or 1, N, M + 1]
    masked: Tensor
    batch: int
    head: int
    tiles: int


class Seen(NamedTuple):
    """What is known of each tile, bool [B or 1, H or 1, R, C]: some pair of it may be seen; every one is."""

    some: Tensor
    every: Tensor

    def __and__(self, other: Seen) -> Seen:
        return Seen(self.some & other.some, self.every & other.every)

    def __or__(self, other: Seen) -> Seen:
        return Seen(self.some | other.some, self.every | other.every)


class Spans(NamedTuple):
    """First and last token of each row of tiles [R, 1] and column of tiles [1, C]; rows by their positions."""

    p: Tensor
    p_last: Tensor
    j: Tensor
    j_last: Tensor


def lists(
    spec: AttentionSpec,
    queries: int,
    keys: int,
    rows: range,
    cols: range,
    blocks: tuple[int, int],
    device: torch.device,
    *,
    of_columns: bool = False,
) -> Lists | None:
    """None for bands. Tiles begin where rows and cols do; `of_columns` lists the rows of each column.

    Cost: as many bytes as there are tiles, times about 20.
    """
    if mask.is_band(spec):
        return None
    seen = classes(spec, queries, keys, rows, cols, blocks, device)
    rank = seen.some.to(torch.int8) + seen.every.to(torch.int8)
    if of_columns:
        rank = rank.transpose(-1, -2).contiguous()
    order = rank.argsort(dim=-1, descending=True, stable=True).to(torch.int32)
    full, masked = (torch.nn.functional.pad((rank == kind).cumsum(-1), (1, 0)).to(torch.int32) for kind in (2, 1))
    batch, heads, lines, tiles = order.shape
    return Lists(order, full, masked, lines * heads if batch > 1 else 0, lines if heads > 1 else 0, tiles)


def classes(
    spec: AttentionSpec,
    queries: int,
    keys: int,
    rows: range,
    cols: range,
    blocks: tuple[int, int],
    device: torch.device,
) -> Seen:
    """Errs towards masking. A tile that any edit or `bias` touches is not full, seen or not."""
    offset = keys - queries
    i = torch.arange(rows.start, rows.stop, blocks[0], device=device)
    j = torch.arange(cols.start, cols.stop, blocks[1], device=device)
    spans = Spans(
        i[:, None] + offset,
        (i + blocks[0]).clamp(max=rows.stop)[:, None] - 1 + offset,
        j[None, :],
        (j + blocks[1]).clamp(max=cols.stop)[None, :] - 1,
    )
    starts = torch.zeros(1, dtype=torch.int64, device=device) if spec.key_starts is None else spec.key_starts
    starts = starts[:, None, None, None]
    seen = _pattern(spec, spans, starts, keys)
    if spec.causal:
        seen = seen & Seen(spans.j <= spans.p_last, spans.j_last <= spans.p)
    if spec.prefix:
        seen = seen | Seen(spans.j < starts + spec.prefix, spans.j_last < starts + spec.prefix)
    if spec.documents is not None:
        seen = seen & _documents(spec.documents, spans)
    stops = torch.full((1,), keys, device=device) if spec.key_lengths is None else spec.key_lengths
    stops = stops[:, None, None, None]
    seen = seen & Seen((spans.j < stops) & (spans.j_last >= starts), (spans.j_last < stops) & (spans.j >= starts))
    ragged = spans.j_last - spans.j + 1 < blocks[1]
    hit = ragged if spec.bias is None else torch.ones_like(ragged)
    if spec.edge_queries is not None and spec.edge_keys is not None:
        hit = hit | (
            _bits(spec.edge_queries, rows, blocks[0])[..., None] & _bits(spec.edge_keys, cols, blocks[1])[..., None, :]
            != 0
        )
    every = seen.every & ~hit
    return Seen(seen.some.expand(every.shape), every)


def _pattern(spec: AttentionSpec, at: Spans, starts: Tensor, keys: int) -> Seen:
    rules = []
    size = spec.block
    low, high = at.p // size - at.j_last // size, at.p_last // size - at.j // size
    if spec.window is not None and spec.causal:
        rules.append(Seen(low < spec.window, high < spec.window))
    elif spec.window is not None:
        rules.append(Seen((low <= spec.window) & (high >= -spec.window), (high <= spec.window) & (low >= -spec.window)))
    if spec.stride is not None:
        rules.append(Seen(high // spec.stride * spec.stride >= low, (low == high) & (low % spec.stride == 0)))
    if spec.used & {"global_tokens"}:
        rules.append(_landmarks(spec, at, starts, keys))
    if spec.random_blocks is not None:
        rules.append(_random_blocks(spec.random_blocks, at, size))
    if rules:
        return reduce(Seen.__or__, rules)
    everything = torch.ones(1, 1, at.p.shape[0], at.j.shape[1], dtype=torch.bool, device=at.p.device)
    return Seen(everything, everything)


def _landmarks(spec: AttentionSpec, at: Spans, starts: Tensor, keys: int) -> Seen:
    """A token's row and column are seen: count those before each edge of a tile."""
    j = torch.arange(keys, device=at.p.device)
    if isinstance(spec.global_tokens, Tensor):
        tokens = spec.global_tokens.view(-1, spec.global_tokens.shape[-1])
        landmarks = (j == tokens[..., None]).any(-2)
    else:
        landmarks = ((j >= starts) & (j < starts + spec.global_tokens))[:, 0, 0]
    before = torch.nn.functional.pad(landmarks.cumsum(-1), (1, 0))[:, None]

    def count(first: Tensor, last: Tensor) -> Tensor:
        return before[..., (last + 1).clamp(min=0)] - before[..., first.clamp(min=0)]

    rows, cols = count(at.p, at.p_last), count(at.j, at.j_last)
    return Seen((rows > 0) | (cols > 0), (rows == at.p_last - at.p + 1) | (cols == at.j_last - at.j + 1))


def _random_blocks(drawn: Tensor, at: Spans, size: int) -> Seen:
    """drawn [H or 1, blocks, r] as a map of blocks, whose sums over rectangles tell of tiles."""
    heads, blocks, _ = drawn.shape
    held = torch.zeros(heads, blocks, blocks, dtype=torch.int32, device=drawn.device)
    held.scatter_(2, drawn.clamp(max=blocks - 1).long(), (drawn < blocks).to(torch.int32))
    corner = torch.nn.functional.pad(held.cumsum(1).cumsum(2), (1, 0, 1, 0))
    top, bottom = (at.p // size).clamp(min=0), (at.p_last // size + 1).clamp(min=0)
    left, right = at.j // size, at.j_last // size + 1
    count = corner[:, bottom, right] - corner[:, top, right] - corner[:, bottom, left] + corner[:, top, left]
    return Seen(count[None] > 0, (count[None] == (bottom - top) * (right - left)) & (at.p >= 0))


def _documents(documents_BK: Tensor, at: Spans) -> Seen:
    (low_p, high_p), (low_j, high_j) = (
        _extremes(documents_BK, at.p[:, 0], at.p_last[:, 0]),
        _extremes(documents_BK, at.j[0], at.j_last[0]),
    )
    rows, cols = (low_p[:, None, :, None], high_p[:, None, :, None]), (low_j[:, None, None], high_j[:, None, None])
    apart = (rows[0] > cols[1]) | (cols[0] > rows[1])
    one = (rows[0] == rows[1]) & (cols[0] == cols[1]) & (rows[0] == cols[0])
    return Seen(~apart, one)


def _extremes(documents_BK: Tensor, first_N: Tensor, last_N: Tensor) -> tuple[Tensor, Tensor]:
    """The least and greatest document of each span of tokens, [B, N]."""
    size = int((last_N - first_N).max()) + 1
    tokens = torch.minimum(first_N[:, None] + torch.arange(size, device=first_N.device), last_N[:, None])
    low, high = documents_BK[:, tokens].aminmax(dim=-1)
    return low, high


def _bits(sets: Tensor, span: range, block: int) -> Tensor:
    """The sets of edges that any token of each tile is in, int32 [B or 1, H or 1, tiles]."""
    part = sets[..., span.start : span.stop]
    part = torch.nn.functional.pad(part, (0, -len(span) % block)).unflatten(-1, (-1, block))
    bits = torch.arange(32, device=sets.device, dtype=torch.int32)
    any_token = (part[..., None] >> bits & 1).amax(-2)
    return (any_token << bits).sum(-1, dtype=torch.int32)


@triton.jit
def walk_row(
    sp,
    lists,
    i_batch,
    i_head,
    i_line,
    first,
    last,
    origin,
    key_low,
    key_stop,
    line_stop,
    MASKED: tl.constexpr,
    BLOCK_K: tl.constexpr,
):
    """The walk over key tiles for rows first..last, and keys of key_low:key_stop.

    Tiles count from `origin`. line_stop ends the columns of the walk; key_stop may lie before it, at padding.
    """
    if lists is not None:
        low_tile = (key_low - origin) // BLOCK_K
        stop_tile = (line_stop - origin + BLOCK_K - 1) // BLOCK_K
        return walk_list(lists, i_batch, i_head, i_line, low_tile, stop_tile, MASKED)
    else:
        offset = sp.keys - sp.queries
        low = tl.minimum(tl.maximum(keys_from(sp, i_batch), key_low), key_stop)
        inner_low, inner_high, high = low, key_stop, key_stop
        if sp.before is not None:
            inner_low = tl.maximum(low, last + offset - sp.before)
            low = tl.maximum(low, first + offset - sp.before)
        if sp.after is not None:
            high = tl.minimum(key_stop, last + offset + sp.after + 1)
            inner_high = tl.minimum(key_stop, first + offset + sp.after + 1)
        return walk_band(low - origin, inner_low - origin, inner_high - origin, high - origin, MASKED, BLOCK_K)


@triton.jit
def walk_column(sp, lists, i_batch, i_head, i_line, first, last, key_stop, MASKED: tl.constexpr, BLOCK_Q: tl.constexpr):
    """The walk over query tiles for a tile of keys first..last; key_stop ends the keys."""
    if lists is not None:
        return walk_list(lists, i_batch, i_head, i_line, 0, lists.tiles, MASKED)
    else:
        offset = sp.keys - sp.queries
        low, high = 0, sp.queries
        inner_low, inner_high = low, high
        if sp.after is not None:
            low = tl.maximum(low, first - sp.after - offset)
            inner_low = tl.maximum(inner_low, last - sp.after - offset)
        if sp.before is not None:
            high = tl.minimum(high, last + sp.before - offset + 1)
            inner_high = tl.minimum(inner_high, first + sp.before - offset + 1)
        start = keys_from(sp, i_batch)
        inner_high = tl.where((first >= start) & (last < key_stop), inner_high, inner_low)
        high = tl.where((last >= start) & (first < key_stop), high, low)
        return walk_band(low, inner_low, inner_high, high, MASKED, BLOCK_Q)


@triton.jit
def walk_band(low, inner_low, inner_high, high, MASKED: tl.constexpr, BLOCK: tl.constexpr):
    """Over the tiles that lie in inner_low:inner_high, or over all others that touch low:high."""
    low = tl.maximum(low, 0)
    start = low // BLOCK
    stop = tl.where(high > low, (high + BLOCK - 1) // BLOCK, start)
    inner_start = tl.minimum(tl.maximum((inner_low + BLOCK - 1) // BLOCK, start), stop)
    inner_stop = tl.minimum(tl.maximum(inner_high // BLOCK, inner_start), stop)
    inner = inner_stop - inner_start
    if MASKED:
        return stop - start - inner, start, inner_start - start, inner
    else:
        return inner, inner_start, 0, 0


@triton.jit
def walk_list(lists, i_batch, i_head, i_line, low_tile, stop_tile, MASKED: tl.constexpr):
    """Over those tiles of low_tile:stop_tile that are listed."""
    line = i_batch * lists.batch + i_head * lists.head + i_line
    p_full = lists.full + line * (lists.tiles + 1)
    if MASKED:
        p_masked = lists.masked + line * (lists.tiles + 1)
        low = tl.load(p_masked + low_tile)
        return tl.load(p_masked + stop_tile) - low, tl.load(p_full + lists.tiles) + low, 0, 0
    else:
        low = tl.load(p_full + low_tile)
        return tl.load(p_full + stop_tile) - low, low, 0, 0


@triton.jit
def tile_at(lists, i_batch, i_head, i_line, i_step, low, gap_at, gap, MASKED: tl.constexpr):
    """The tile of one step of a walk."""
    if lists is not None:
        line = i_batch * lists.batch + i_head * lists.head + i_line
        return tl.load(lists.order + line * lists.tiles + low + i_step)
    elif MASKED:
        return low + i_step + tl.where(i_step >= gap_at, gap, 0)
    else:
        return low + i_step
