"""Attention on the CPU: torch's fused kernel where it knows the mask, else chunks of rows.

The fused kernel is one operator call, which counts at 64 tokens, in training and in decoding. It does not know
windows or softcap, aligns unequal lengths at the top left, wants values as wide as keys (zeros widen the narrower
and change no product), and gives a row without keys lse 0. One query row asks less of it: a window is then a slice
of the keys, and biases by distance are a number for each key.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from kernels import mask
from kernels.cpu.chunked import Chunked, forward
from kernels.cpu.readers import Cells, Rows
from kernels.spec import AttentionSpec, Pooled
from kernels.spec.attention import LEARNED, learns
from kernels.spec.distance_bias import bias_by_distance

# B batch, H query heads, G key/value heads, R query heads of each, Q queries, K keys, D head width

FUSED_KNOWS = frozenset({"causal", "key_lengths", "key_starts", "head_gate"})

# Of one query row; sinks have no gradient here, nor has a bias.
ROW_KNOWN_TO_LEARN = FUSED_KNOWS | {"window"}
ROW_KNOWN = ROW_KNOWN_TO_LEARN | {"alibi_slopes", "t5_bias", "sinks"}


def attend(
    q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec, rows: Rows | None = None
) -> tuple[Tensor, Tensor]:
    """out_BHQD and lse_BHQ, but for head_gate. Differentiable in q, k, v and LEARNED; not through lse.

    `rows` reads its measures from the chunks, which the fused kernel does not show.
    """
    if q_BHQD.device.type == "cpu" and rows is None:
        if q_BHQD.shape[2] == 1:
            of_a_row = ROW_KNOWN_TO_LEARN if learns(q_BHQD, k_BGKD, v_BGKD, spec) else ROW_KNOWN
            if spec.used <= of_a_row:
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
    keys = k_BGKD.shape[2]
    cols = range(keys)
    if spec.window is not None:
        cols = mask.keys_seen(spec, 1, keys, range(1))
        k_BGKD, v_BGKD = (x[:, :, cols.start : cols.stop] for x in (k_BGKD, v_BGKD))
    batch, heads, _, width = q_BHQD.shape
    key_heads = k_BGKD.shape[1]
    bias_GRK = None
    if spec.alibi_slopes is not None or spec.t5_bias is not None:
        distances = torch.arange(cols.start, cols.stop) - (keys - 1)
        bias_GRK = bias_by_distance(spec, distances).to(q_BHQD.dtype).view(key_heads, -1, len(cols))
    q_BGRD = q_BHQD.reshape(batch, key_heads, -1, width)
    out, lse = _fused(q_BGRD, k_BGKD, v_BGKD, spec, cols, bias_GRK, causal=False)
    out, lse = out.reshape(batch, heads, 1, -1), lse.reshape(batch, heads, 1)
    return (out, lse) if spec.sinks is None else _with_sinks(out, lse, spec.sinks)


def _with_sinks(out_BHQD: Tensor, lse_BHQ: Tensor, sinks_H: Tensor) -> tuple[Tensor, Tensor]:
    """One more logit in the denominator, without a value; a row that sees no key stays without."""
    with_sink = lse_BHQ.logaddexp(sinks_H.to(lse_BHQ.dtype)[:, None]).masked_fill(lse_BHQ == -torch.inf, -torch.inf)
    kept = (lse_BHQ - with_sink).exp().nan_to_num(0)
    return out_BHQD * kept[..., None].to(out_BHQD.dtype), with_sink


def _fused(
    q_BHQD: Tensor,
    k_BGKD: Tensor,
    v_BGKD: Tensor,
    spec: AttentionSpec,
    cols: range,
    bias_HQK: Tensor | None = None,
    *,
    causal: bool,
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
    bias = None if bias_HQK is None else bias_HQK[None]
    if seen_BK is not None:
        hidden = q.new_zeros(seen_BK.shape).masked_fill_(~seen_BK, -torch.inf)[:, None, None]
        bias = hidden if bias is None else bias + hidden
    # By way of torch.ops it takes 4 us longer, which is a tenth of one row's attention.
    out, lse = torch._scaled_dot_product_flash_attention_for_cpu(q, k, v, 0.0, causal, attn_mask=bias, scale=spec.scale)
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
