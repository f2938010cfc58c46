"""Attention on the CPU: torch's fused kernel where it knows the mask, else chunks of rows.

The fused kernel is one operator call, which counts at 64 tokens, in training and in decoding. It does not know
windows or softcap, aligns unequal lengths at the top left, wants values as wide as keys (zeros widen the narrower
and change no product), and gives a row without keys lse 0. One query row asks less of it: a window is then a slice
of the keys.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from kernels import mask
from kernels.cpu.chunked import Chunked, forward
from kernels.cpu.readers import Cells, Rows
from kernels.spec import AttentionSpec, Pooled
from kernels.spec.attention import LEARNED

# B batch, H query heads, G key/value heads, R query heads of each, Q queries, K keys, D head width

FUSED_KNOWS = frozenset({"causal", "key_lengths", "key_starts", "head_gate"})
FUSED_KNOWS_OF_A_ROW = FUSED_KNOWS | {"window"}


def attend(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, rows: Rows | None = None
) -> tuple[Tensor, Tensor]:
    """out_BHQD and lse_BHQ, but for head_gate. Differentiable in q, k, v and LEARNED; not through lse.

    `rows` reads its measures from the chunks, which the fused kernel does not show.
    """
    if q_BHQD.device.type == "cpu" and rows is None:
        if q_BHQD.shape[2] == 1 and spec.used <= FUSED_KNOWS_OF_A_ROW:
            return _one_row(q_BHQD, k_BGKD, v_BGKD, spec)
        if spec.used <= FUSED_KNOWS and (not spec.causal or q_BHQD.shape[2] == k_BGKD.shape[2]):
            return _fused(q_BHQD, k_BGKD, v_BGKD, spec, range(k_BGKD.shape[2]), causal=spec.causal)
    out, lse = Chunked.apply(q_BHQD, k_BGKD, v_BGKD, spec, rows, *(getattr(spec, name) for name in LEARNED))
    return out, lse


def attend_and_pool(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, cell: int
) -> tuple[Tensor, Tensor, Pooled]:
    """out_BHQD and lse_BHQ, but for head_gate, and the pooled map, from the same scores. Not differentiable."""
    cells = Cells(q_BHQD, k_BGKD.shape[2], k_BGKD.shape[1], spec, cell)
    out, lse = forward(q_BHQD, k_BGKD, v_BGKD, spec, [cells])
    return out, lse, cells.pooled()


def _one_row(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> tuple[Tensor, Tensor]:
    """The one row of each head, as in decoding: heads that share keys become rows of one matrix product."""
    cols = range(k_BGKD.shape[2])
    if spec.window is not None:
        cols = mask.keys_seen(spec, 1, len(cols), range(1))
        k_BGKD, v_BGKD = (x[:, :, cols.start : cols.stop] for x in (k_BGKD, v_BGKD))
    if q_BHQD.shape[1] == k_BGKD.shape[1]:
        return _fused(q_BHQD, k_BGKD, v_BGKD, spec, cols, causal=False)
    batch, heads, _, width = q_BHQD.shape
    q_BGRD = q_BHQD.reshape(batch, k_BGKD.shape[1], -1, width)
    out, lse = _fused(q_BGRD, k_BGKD, v_BGKD, spec, cols, causal=False)
    return out.reshape(batch, heads, 1, -1), lse.reshape(batch, heads, 1)


def _fused(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, cols: range, *, causal: bool
) -> tuple[Tensor, Tensor]:
    """Only scale and padding are the spec's here; `cols` are the positions of the keys."""
    width, value_width = q_BHQD.shape[3], v_BGKD.shape[3]
    # The kernel reads rows as contiguous without looking at their stride.
    q, k, v = (x if x.stride(3) == 1 else x.contiguous() for x in (q_BHQD, k_BGKD, v_BGKD))
    if width < value_width:
        q, k = (pad(x, (0, value_width - width)) for x in (q, k))
    elif value_width < width:
        v = pad(v, (0, width - value_width))
    seen_BK = _not_padding(spec, cols)
    bias = None if seen_BK is None else q.new_zeros(seen_BK.shape).masked_fill_(~seen_BK, -torch.inf)[:, None, None]
    out, lse = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
        q, k, v, is_causal=causal, attn_mask=bias, scale=spec.scale
    )
    if seen_BK is not None:
        keys_seen = seen_BK.cumsum(-1) if causal else seen_BK.sum(-1, keepdim=True)
        lse = lse.masked_fill((keys_seen == 0)[:, None], -torch.inf)
    return out[..., :value_width] if value_width < width else out, lse


def _not_padding(spec: AttentionSpec, cols: range) -> Tensor | None:
    if spec.key_lengths is None and spec.key_starts is None:
        return None
    j = torch.arange(cols.start, cols.stop)
    seen = j >= (0 if spec.key_starts is None else spec.key_starts[:, None])
    return seen if spec.key_lengths is None else seen & (j < spec.key_lengths[:, None])
