"""Multi-head attention: what a layer projects, which keys it may see, and what it shows to a `tap`."""

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width, W model width

from __future__ import annotations

from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from kernels import dispatch
from kernels.spec import AttentionSpec
from kernels.spec.random_blocks import draw_random_blocks
from modelcore.config import AttentionSite, ModelConfig, Pattern
from modelcore.config.stack import FULL
from modelcore.layers.attention_map import AttentionMap
from modelcore.layers.context import Context
from modelcore.layers.linear import Linear
from modelcore.layers.norm import build_norm
from modelcore.layers.outlet import Outlet
from modelcore.layers.positional import alibi_slopes
from modelcore.layers.rotary import Angles
from modelcore.layers.writing import Joined


class Attention(nn.Module):
    """Concat(head_1 … head_H) W^O with head_i = softmax(score(q_i, k)) v, by default q·k / √D.

    Source: Vaswani et al. 2017, section 3.2; Ainslie et al. 2023 (arXiv 2305.13245) for grouped queries;
        Henry et al. 2020 (arXiv 2010.04245) for normalised queries and keys.
    """

    alibi_slopes_H: Tensor | None

    def __init__(self, config: ModelConfig, site: AttentionSite) -> None:
        super().__init__()
        stack = config.stack(site.stack)
        self.config, self.site = config, site
        self.heads, self.key_heads, self.head_width = stack.heads, stack.key_head_count, config.head_width(stack)
        self.crosses = site.kind == "cross"
        self.causal = site.stack == "decoder" and not self.crosses
        self.pattern: Pattern = FULL if self.crosses else stack.pattern(site.layer)
        self.kept_window = self.pattern.window if self.pattern.window_alone else None
        self.scale = self._scale()
        inner, key_inner = self.heads * self.head_width, self.key_heads * self.head_width
        self.query = Linear(config.width, inner, bias=config.attention_bias)
        self.key = Linear(config.width, key_inner, bias=config.attention_bias)
        self.value = Linear(config.width, key_inner, bias=config.attention_bias)
        self.joined = Joined(self.query, self.key, self.value)
        self.joined_memory = Joined(self.key, self.value)
        self.output = Linear(inner, config.width, bias=config.attention_output_bias)
        if config.qk_norm == "projection":
            self.query_norm, self.key_norm = build_norm(config, inner), build_norm(config, key_inner)
        elif config.qk_norm == "head":
            self.query_norm, self.key_norm = (build_norm(config, self.head_width) for _ in range(2))
        self._add_score_parameters(config)

    def _scale(self) -> float:
        if self.config.score != "scaled_dot":
            return 1.0
        scale = self.head_width**-0.5 if self.config.attention_scale is None else self.config.attention_scale
        return scale / (self.site.layer + 1) if self.config.scale_by_layer else scale

    def _add_score_parameters(self, config: ModelConfig) -> None:
        width = self.head_width
        if config.score == "multiplicative":
            self.score_matrix = nn.Parameter(torch.empty(self.heads, width, width))
        if config.score == "additive":
            self.score_vector = nn.Parameter(torch.empty(self.heads, width))
        if config.sinks:
            self.sinks = nn.Parameter(torch.zeros(self.heads))
        if config.position_encoding == "relative_keys" and not self.crosses:
            self.relative_keys = nn.Parameter(torch.empty(2 * config.relative_distance + 1, width))
        slopes = None
        if config.position_encoding == "alibi" and not self.crosses:
            with torch.device("cpu"):  # computed, not loaded: see SinusoidalPositions
                slopes = alibi_slopes(self.heads)
        self.register_buffer("alibi_slopes_H", slopes, persistent=False)

    def forward(
        self, x_BQW: Tensor, context: Context, *, angles: Angles | None = None, t5_bias: Tensor | None = None
    ) -> Tensor:
        """Attends from `x` to the encoder's output where the site crosses, else to itself and what is cached.

        `angles` turn queries and keys (rotary positions); `t5_bias` [buckets, H] is the stack's own table.
        Without a tap nothing is kept; with one, it is called once, before the output projection.
        """
        if self.crosses:
            q_BQI = self.query(x_BQW)
            if context.packing is not None:
                q_BQI = context.packing.unpack(q_BQI)
            q_BHQD = self._as_queries(q_BQI)
            k_BGKD, v_BGKD = self._memory(context)
        else:
            q_BQI, k_BKI, v_BKI = self.joined(x_BQW, context.packing)
            q_BHQD, k_BGKD, v_BGKD = self._as_queries(q_BQI), self._split(k_BKI, "key_norm"), self._split(v_BKI)
            if angles is not None:
                q_BHQD, k_BGKD = angles.turn(q_BHQD), angles.turn(k_BGKD)
            if context.cache is not None:
                k_BGKD, v_BGKD = context.cache.extend(self.site, k_BGKD, v_BGKD, self.kept_window)
        first_key = 0 if self.crosses else context.read + q_BHQD.shape[2] - k_BGKD.shape[2]
        spec = self._spec(context, q_BHQD, k_BGKD, first_key, t5_bias)
        attended = dispatch.attend(q_BHQD, k_BGKD, v_BGKD, spec)
        if context.tap is not None:
            turned = angles is not None and not self.crosses
            map_ = AttentionMap(
                self.site, q_BHQD, k_BGKD, attended.lse, spec, attended.implementation, first_key, turned
            )
            context.tap(map_)
        if context.outlet_tap is not None:
            weight = self.output.weight
            output_WI = weight.to_dense() if weight.is_mkldnn else weight
            context.outlet_tap(Outlet(self.site, v_BGKD, attended.out, output_WI))
        mixed_BQI = attended.out.transpose(1, 2).flatten(2)
        return self.output(mixed_BQI if context.packing is None else context.packing.pack(mixed_BQI))

    def _as_queries(self, x_BQI: Tensor) -> Tensor:
        q_BHQD = self._split(x_BQI, "query_norm")
        if self.config.score == "multiplicative":
            q_BHQD = q_BHQD @ self.score_matrix
        return q_BHQD

    def _split(self, x_BNI: Tensor, norm: str | None = None) -> Tensor:
        """Heads apart, [B, heads, N, D], cut to the limit and normalised as the configuration says."""
        if self.config.clip_qkv is not None:
            x_BNI = x_BNI.clamp(-self.config.clip_qkv, self.config.clip_qkv)
        if norm and self.config.qk_norm == "projection":
            x_BNI = getattr(self, norm)(x_BNI)
        x_BNHD = x_BNI.view(*x_BNI.shape[:-1], -1, self.head_width)
        if norm and self.config.qk_norm == "head":
            x_BNHD = getattr(self, norm)(x_BNHD)
        return x_BNHD.transpose(1, 2)

    def _memory(self, context: Context) -> tuple[Tensor, Tensor]:
        """Keys and values of the encoder's output, computed once where there is a cache."""
        kept = None if context.cache is None else context.cache.memory(self.site)
        if kept is not None:
            return kept
        assert context.memory_BKW is not None, "cross-attention needs the encoder's output"
        memory_BKW = context.memory_BKW
        k_BKI, v_BKI = self.joined_memory(memory_BKW, context.memory_packing)
        k_BGKD, v_BGKD = self._split(k_BKI, "key_norm"), self._split(v_BKI)
        if context.cache is not None:
            context.cache.keep_memory(self.site, k_BGKD, v_BGKD)
        return k_BGKD, v_BGKD

    def _spec(
        self, context: Context, q_BHQD: Tensor, k_BGKD: Tensor, first_key: int, t5_bias: Tensor | None
    ) -> AttentionSpec:
        fields: dict[str, Any] = {"scale": self.scale, "causal": self.causal}
        if self.config.softcap is not None:
            fields["softcap"] = self.config.softcap
        if self.config.sinks:
            fields["sinks"] = self.sinks
        if self.config.score == "additive":
            fields["additive"] = self.score_vector
        if self.crosses:
            if context.memory_lengths_B is not None:
                fields["key_lengths"] = context.memory_lengths_B
        else:
            fields |= self._positions(t5_bias) | self._padding(context, first_key) | self._pattern(k_BGKD)
        # One and the same for every token that is written, where nothing else is to be said.
        spec = AttentionSpec(**fields) if len(fields) > 2 else self._plain_spec
        edit = None if context.edits is None else context.edits.get(self.site)
        if edit is not None:
            keys = range(first_key, first_key + k_BGKD.shape[2])
            queries = range(context.read, context.read + q_BHQD.shape[2])
            spec = edit.applied(spec, self.heads, queries, keys, q_BHQD.device)
        return spec

    @cached_property
    def _plain_spec(self) -> AttentionSpec:
        return AttentionSpec(scale=self.scale, causal=self.causal)

    def _positions(self, t5_bias: Tensor | None) -> dict[str, Any]:
        if self.alibi_slopes_H is not None:
            return {"alibi_slopes": self.alibi_slopes_H}
        if self.config.position_encoding == "relative_keys":
            return {"relative_keys": self.relative_keys}
        if t5_bias is None:
            return {}
        return {
            "t5_bias": t5_bias,
            "t5_bidirectional": not self.causal,
            "t5_max_distance": self.config.t5_max_distance,
        }

    def _padding(self, context: Context, first_key: int) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        if context.lengths_B is not None:
            fields["key_lengths"] = context.lengths_B
        if context.starts_B is not None:
            fields["key_starts"] = (context.starts_B - first_key).clamp(min=0)
        if context.documents_BK is not None:
            fields["documents"] = context.documents_BK
        return fields

    def _pattern(self, k_BGKD: Tensor) -> dict[str, Any]:
        pattern = self.pattern
        if pattern == FULL:
            return {}
        fields: dict[str, Any] = {"window": pattern.window, "stride": pattern.stride, "block": pattern.block}
        fields |= {"global_tokens": pattern.global_tokens, "prefix": pattern.prefix}
        if pattern.random_blocks:
            blocks = -(-k_BGKD.shape[2] // pattern.block)
            count = min(pattern.random_blocks, blocks)
            drawn = draw_random_blocks(blocks, count, pattern.seed, causal=self.causal)
            fields["random_blocks"] = drawn.to(k_BGKD.device)
        return fields
