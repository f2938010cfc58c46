"""The scores of a tile: products, biases and masks of AttentionSpec, defined once for every Triton kernel.

Scores count in units of log2. Where nothing is added to the products they stay as the tensor cores left them,
and `unit` turns them into log2 in the multiply-add that the exponential needs anyway.
"""

# mypy: disable-error-code="no-untyped-def"
# Device functions take Triton's own values, which have no Python types.
from __future__ import annotations

from typing import NamedTuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from kernels import mask
from kernels.gpu.operands import LOG2E, Heads, heads_of
from kernels.spec import AttentionSpec
from kernels.spec.distance_bias import t5_bucket

# B batch, H query heads, Q queries, K keys, D head width, X distances
# i_ index, o_ offsets, m_ mask, p_ pointer, b_ block; blocks are [q queries, k keys, d width]


class Scoring(NamedTuple):
    """An AttentionSpec as one kernel argument. A field that is None costs the compiled kernel nothing."""

    queries: int
    keys: int
    heads: int
    shared: int  # query heads of a key head
    factor: float
    PLAIN: tl.constexpr  # nothing but scale and masks is done to the products
    softcap: float | None  # in log2; factor is then doubled, as tanh wants it
    before: int | None  # a query at p sees keys p - before ... p + after
    after: int | None
    key_starts: Tensor | None  # [B]
    key_lengths: Tensor | None  # [B]
    documents: Tensor | None  # [B, K]
    prefix: int | None
    # The pattern: a key is seen where any of these rules holds it.
    PATTERN: tl.constexpr
    block: int | None
    lift: int  # a multiple of block that lifts the first position to 0 or more
    window_before: int | None
    window_after: int | None
    stride: int | None
    landmarks: Tensor | None  # int8 [B or 1, K]: the global tokens
    landmarks_batch: int
    random_blocks: Tensor | None  # [H or 1, blocks, drawn]
    random_head: int
    random_row: int
    drawn: int
    # Biases, in log2
    slopes: Tensor | None  # [H]
    by_distance: Tensor | None  # [H, 2 * reach + 1]
    reach: int
    relative: Heads | None  # [B, H, Q, 2 * relative_reach + 1], not scaled
    relative_reach: int
    bias: Heads | None
    # Sets of edges
    edge_queries: Heads | None  # [1 or B, 1 or H, Q, 1]
    edge_keys: Heads | None  # [1 or B, 1 or H, 1, K]
    edge_bias: Tensor | None  # in log2
    biased_sets: int
    edge_scale: Tensor | None  # in log2
    scaled_sets: int


def scoring(spec: AttentionSpec, q_BHQD: Tensor, k_BGKD: Tensor) -> Scoring:
    """Cost: O(n) memory, but for relative_keys, whose products with the queries take Q x (2c + 1) a head."""
    _, heads, queries, _ = q_BHQD.shape
    keys = k_BGKD.shape[2]
    in_blocks = bool(spec.used & {"stride", "global_tokens", "random_blocks", "block"})
    window_before, window_after = mask.reach(spec) if spec.window is not None and in_blocks else (None, None)
    before, after = ((None, 0 if spec.causal else None)) if in_blocks else mask.reach(spec)
    landmarks = _landmarks(spec, keys, q_BHQD.device)
    random_blocks = spec.random_blocks
    relative = _relative(spec, q_BHQD)
    slopes = spec.alibi_slopes
    by_distance = _by_distance(spec)
    edge_bias, edge_scale = spec.edge_bias, spec.edge_scale
    added = (spec.softcap, slopes, by_distance, spec.bias, edge_bias, edge_scale)
    factor = spec.scale * LOG2E.value
    return Scoring(
        queries,
        keys,
        heads,
        heads // k_BGKD.shape[1],
        factor=factor if spec.softcap is None else 2 * factor / spec.softcap,
        PLAIN=tl.constexpr(all(field is None for field in added)),
        softcap=None if spec.softcap is None else spec.softcap * LOG2E.value,
        before=before,
        after=after,
        key_starts=spec.key_starts,
        key_lengths=spec.key_lengths,
        documents=None if spec.documents is None else spec.documents.contiguous(),
        prefix=spec.prefix or None,
        PATTERN=tl.constexpr(in_blocks),
        block=spec.block if spec.block > 1 else None,
        lift=-(-max(queries - keys, 0) // spec.block) * spec.block,
        window_before=window_before,
        window_after=window_after if spec.window is not None and not spec.causal else None,
        stride=spec.stride,
        landmarks=landmarks,
        landmarks_batch=0 if landmarks is None or len(landmarks) == 1 else keys,
        random_blocks=None if random_blocks is None else random_blocks.contiguous(),
        random_head=0 if random_blocks is None or len(random_blocks) == 1 else random_blocks[0].numel(),
        random_row=0 if random_blocks is None else random_blocks.shape[-1],
        drawn=0 if random_blocks is None else random_blocks.shape[-1],
        slopes=None if slopes is None else slopes.detach().float() * LOG2E.value,
        by_distance=by_distance,
        reach=0 if by_distance is None else by_distance.shape[1] // 2,
        relative=None if relative is None else heads_of(relative),
        relative_reach=0 if relative is None else relative.shape[-1] // 2,
        bias=None if spec.bias is None else heads_of(spec.bias),
        edge_queries=None if spec.edge_queries is None else heads_of(spec.edge_queries[..., None]),
        edge_keys=None if spec.edge_keys is None else heads_of(spec.edge_keys[..., None, :]),
        edge_bias=None if edge_bias is None else edge_bias.detach().float() * LOG2E.value,
        biased_sets=0 if edge_bias is None else min(len(edge_bias), 32),
        edge_scale=None if edge_scale is None else edge_scale.detach().float().log2(),
        scaled_sets=0 if edge_scale is None else min(len(edge_scale), 32),
    )


def _landmarks(spec: AttentionSpec, keys: int, device: torch.device) -> Tensor | None:
    tokens = spec.global_tokens
    j = torch.arange(keys, device=device)
    if isinstance(tokens, Tensor):
        tokens = tokens.view(-1, tokens.shape[-1])
        return (j == tokens[..., None]).any(-2).to(torch.int8)
    if not tokens:
        return None
    starts = torch.zeros(1, device=device) if spec.key_starts is None else spec.key_starts
    return ((j >= starts[:, None]) & (j < starts[:, None] + tokens)).to(torch.int8)


def _by_distance(spec: AttentionSpec) -> Tensor | None:
    """T5's bias of each head at each distance, in log2; what lies further has that of the furthest."""
    if spec.t5_bias is None:
        return None
    furthest = spec.t5_max_distance
    distances = torch.arange(-furthest, furthest + 1, device=spec.t5_bias.device)
    return spec.t5_bias.detach().float()[t5_bucket(spec, distances)].T.contiguous() * LOG2E.value


def _relative(spec: AttentionSpec, q_BHQD: Tensor) -> Tensor | None:
    if spec.relative_keys is None:
        return None
    keys = spec.relative_keys.detach().to(q_BHQD.dtype)
    return (q_BHQD.detach() @ keys.transpose(-1, -2)).float()


@triton.jit
def unit(sp):
    """What turns scores into log2."""
    if sp.PLAIN:
        return sp.factor
    else:
        return 1.0


@triton.jit
def products(b_q, b_k, sp, i_batch, i_head, i, j):
    """Products of [q, d] and [k, d] with scale and softcap, [q, k]; i [q, 1] and j [1, k] number them."""
    b_s = tl.dot(b_q, tl.trans(b_k), input_precision="ieee")
    return capped(b_s, sp, i_batch, i_head, i, j)


@triton.jit
def capped(b_s, sp, i_batch, i_head, i, j):
    """Products with scale and softcap; tanh(x) = 1 - 2 / (exp(2x) + 1)."""
    if sp.relative is not None:
        distance = j - (i + (sp.keys - sp.queries))
        step = tl.minimum(tl.maximum(distance, -sp.relative_reach), sp.relative_reach) + sp.relative_reach
        p_relative = sp.relative.memory + i_batch * sp.relative.batch + i_head * sp.relative.head
        b_s += tl.load(
            p_relative + i.to(tl.int64) * sp.relative.row + step, mask=(i < sp.queries) & (j >= 0), other=0.0
        )
    if sp.softcap is not None:
        b_s = sp.softcap * (1.0 - 2.0 / (tl.exp2(b_s * sp.factor) + 1.0))
    elif not sp.PLAIN:
        b_s *= sp.factor
    return b_s


@triton.jit
def scores(b_s, sp, i_batch, i_head, i, j, key_stop, MASKED: tl.constexpr):
    """Capped products with their biases and, where MASKED, -inf for pairs that are not seen.

    `bias` and sets of edges are looked at where MASKED alone: tiles.py gives no such tile as a full one.
    """
    distance = j - (i + (sp.keys - sp.queries))
    if sp.slopes is not None:
        b_s -= tl.load(sp.slopes + i_head) * tl.abs(distance).to(tl.float32)
    if sp.by_distance is not None:
        step = tl.minimum(tl.maximum(distance, -sp.reach), sp.reach) + sp.reach
        b_s += tl.load(sp.by_distance + i_head * (2 * sp.reach + 1) + step)
    if MASKED:
        if sp.bias is not None:
            p_bias = sp.bias.memory + i_batch * sp.bias.batch + i_head * sp.bias.head
            p_bias += i.to(tl.int64) * sp.bias.row + j * sp.bias.column
            b_bias = tl.load(p_bias, mask=(i < sp.queries) & (j < sp.keys), other=0.0)
            b_s += b_bias.to(tl.float32) * LOG2E
        if sp.edge_bias is not None:
            sets = edge_sets(sp, i_batch, i_head, i, j)
            for s in range(sp.biased_sets):
                b_s += tl.where(((sets >> s) & 1) != 0, tl.load(sp.edge_bias + s), 0.0)
        b_s = tl.where(visible(sp, i_batch, i_head, i, j, key_stop), b_s, float("-inf"))
    return b_s


@triton.jit
def edited(b_s, sp, i_batch, i_head, i, j, MASKED: tl.constexpr):
    """Scores with what edges scale their probabilities by, as the map has them after the softmax."""
    if MASKED and sp.edge_scale is not None:
        b_s += edge_factors(sp, i_batch, i_head, i, j)
    return b_s


@triton.jit
def edge_sets(sp, i_batch, i_head, i, j):
    """The sets of edges that each pair is in, as bits."""
    p_queries = sp.edge_queries.memory + i_batch * sp.edge_queries.batch + i_head * sp.edge_queries.head
    p_keys = sp.edge_keys.memory + i_batch * sp.edge_keys.batch + i_head * sp.edge_keys.head
    b_queries = tl.load(p_queries + i * sp.edge_queries.row, mask=i < sp.queries, other=0)
    b_keys = tl.load(p_keys + j * sp.edge_keys.column, mask=j < sp.keys, other=0)
    return b_queries & b_keys


@triton.jit
def edge_factors(sp, i_batch, i_head, i, j):
    """log2 of what edges scale each probability by."""
    sets = edge_sets(sp, i_batch, i_head, i, j)
    b_factors = tl.zeros(sets.shape, tl.float32)
    for s in range(sp.scaled_sets):
        b_factors += tl.where(((sets >> s) & 1) != 0, tl.load(sp.edge_scale + s), 0.0)
    return b_factors


@triton.jit
def keys_from(sp, i_batch):
    """Where the keys of this sequence begin, behind its padding."""
    if sp.key_starts is not None:
        return tl.maximum(tl.load(sp.key_starts + i_batch), 0).to(tl.int32)
    else:
        return 0


@triton.jit
def keys_to(sp, i_batch, stop):
    """Where they end, before its padding; `stop` at most."""
    if sp.key_lengths is not None:
        return tl.minimum(tl.maximum(tl.load(sp.key_lengths + i_batch), 0), stop).to(tl.int32)
    else:
        return stop


@triton.jit
def visible(sp, i_batch, i_head, i, j, key_stop):
    """Which pairs are seen, [q, k]; i and j may have any shapes that go together. key_stop ends the keys."""
    p = i + (sp.keys - sp.queries)
    m_seen = j < key_stop
    if sp.PATTERN:
        m_seen = m_seen & in_pattern(sp, i_batch, i_head, p, j)
    if sp.before is not None:
        m_seen = m_seen & (j >= p - sp.before)
    if sp.after is not None:
        m_seen = m_seen & (j <= p + sp.after)
    start = keys_from(sp, i_batch)
    if sp.prefix is not None:
        m_seen = (m_seen | (j < start + sp.prefix)) & (j < key_stop)
    if sp.documents is not None:
        p_documents = sp.documents + i_batch * sp.keys
        own = tl.load(p_documents + p, mask=p < sp.keys, other=0)
        m_seen = m_seen & (own == tl.load(p_documents + j, mask=j < sp.keys, other=0))
    if sp.key_starts is not None:
        m_seen = m_seen & (j >= start)
    return m_seen


@triton.jit
def in_pattern(sp, i_batch, i_head, p, j):
    """Which pairs any rule of the pattern holds, but for causality."""
    p_block, j_block = p, j
    if sp.block is not None:
        p_block = (p + sp.lift) // sp.block - sp.lift // sp.block
        j_block = j // sp.block
    back = p_block - j_block
    m_held = (back != back) & (j != j)
    if sp.window_before is not None:
        m_window = back <= sp.window_before
        if sp.window_after is not None:
            m_window = m_window & (back >= -sp.window_after)
        m_held = m_held | m_window
    if sp.stride is not None:
        m_held = m_held | (tl.abs(back) % sp.stride == 0)
    m_known = (p >= 0) & (p < sp.keys)
    if sp.landmarks is not None:
        p_landmarks = sp.landmarks + i_batch * sp.landmarks_batch
        m_held = m_held | (tl.load(p_landmarks + p, mask=m_known, other=0) != 0)
        m_held = m_held | (tl.load(p_landmarks + j, mask=j < sp.keys, other=0) != 0)
    if sp.random_blocks is not None:
        p_drawn = sp.random_blocks + i_head * sp.random_head + p_block * sp.random_row
        for n in range(sp.drawn):
            m_held = m_held | (tl.load(p_drawn + n, mask=m_known, other=-1) == j_block)
    return m_held
