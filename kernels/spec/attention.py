"""AttentionSpec, which says what attention is to be; Attended and Pooled, which the kernels return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# R and C rows and columns of cells


@dataclass(frozen=True, eq=False)  # eq would compare tensors, and a tensor has no single truth value
class AttentionSpec:
    """Which keys a query may see, how scores are made, and what is edited. A field left alone is not used.

    Positions: key j stands at j; query i stands at p = i + (K - Q), so queries are the last Q of K
    positions (bottom-right aligned, as with a KV cache), in every rule that compares the two.

        probability = exp(score - lse), score = softcap(scale * product) + biases, over the keys seen:
        key_starts[b] <= j < key_lengths[b], and documents agree, and
        (j in the prefix, or (j <= p where causal, and the pattern holds j where there is one))

    Scores: the product is q.k unless a field says otherwise
        scale         factor of the product, positive
        relative_keys [2c + 1, D], for all heads, or [H, 2c + 1, D] float: a key for each distance up to c, which
                      all further ones share: the product is q.(k + relative_keys[clip(j - p, -c, c) + c]).
                      The paper's second table, for values, is left out: its table 3 shows that it adds nothing.
        additive      [H, D] float: the product is sum_d additive[h, d] * tanh(q[d] + k[d]), where q and k are
                      projected already. The usual scale is then 1. It costs D tanh a pair, and does not go
                      together with relative_keys.
        softcap       squash scores into (-softcap, softcap): softcap * tanh(score / softcap)
        alibi_slopes  [H] float: adds -slope * |p - j|. No gradient flows to them.
        t5_bias       [buckets, H] float: adds t5_bias[bucket(j - p), h]; `kernels.spec.distance_bias` has the
                      buckets. t5_bidirectional tells keys before from keys after (encoders); without it,
                      all that follow share bucket 0 (decoders). From t5_max_distance on, one bucket.
        bias          [1 or B, 1 or H, Q, K] float, added as it is; -inf hides. It is as large as the map:
                      for what no other field can say.
        sinks         [H] float: a logit that joins the softmax's denominator and takes no value. lse
                      contains it, so the rows of a map sum to less than 1, and nothing renormalises them.

    Padding and packing
        key_lengths   [B] int: keys at or past it are padding
        key_starts    [B] int: keys before it are padding (left-padded batches)
        documents     [B, K] int: a query sees keys of its own document only, that of its position

    Causality
        causal        hide the keys after the query's own position
        prefix        with causal: the first `prefix` keys (from key_starts on) are seen by every query,
                      whatever causality and pattern say

    Pattern: a key is in it if any of the given rules holds it; with causal, the future stays hidden.
        window        causal: the last `window` keys, the own one included, 0 <= p - j < window;
                      else symmetric: `window` keys on each side of the own, |p - j| <= window
        stride        the own key and every stride-th from it: (p - j) % stride == 0
        global_tokens these see and are seen by all: the first so many (from key_starts on), or an int
                      tensor of positions, [T] or [B, T] (repeat one to fill a row)
        random_blocks [1 or H, blocks, r] int: the key blocks that a query of each block sees besides;
                      `kernels.spec.random_blocks` draws them from a seed
        block         count window, stride and random_blocks in blocks of so many tokens: p // block and
                      j // block take the place of p and j

    Edits
        head_gate     [H] float: factor of a head's output. The map does not change.
        edge_queries, edge_keys   [1 or B, 1 or H, Q] and [..., K] int32: up to 32 sets of edges; edge
                      (i, j) is in set s if bit s is set in both
        edge_bias     [S] float: added to the scores of set s; -inf knocks its edges out, which hides them
        edge_scale    [S] float, not negative: factor of the probabilities of set s after the softmax;
                      rows are not renormalised

    Raises: ValueError for a combination that means nothing.
    Source: softcap: Gemma 2 (arXiv 2408.00118), section 2. Causal window: Mistral 7B (2310.06825), 2.
        Symmetric window and global tokens: Longformer (2004.05150), 3.1; its attention_window is twice
        ours. stride: Sparse Transformers (1904.10509), 4.2. random_blocks, block: BigBird (2007.14062), 2.
        prefix: T5 (1910.10683), 3.2.1. alibi_slopes: Press et al. (2108.12409), 3. t5_bias: T5, 2.1.
        relative_keys: Shaw et al. (1803.02155), equation 4 and 3.2. additive: Bahdanau et al. (1409.0473), A.1.2.
        sinks: gpt-oss (2508.10925), 2; StreamingLLM (2309.17453), equation 2.
    """

    scale: float
    causal: bool = False
    window: int | None = None
    key_lengths: Tensor | None = None
    softcap: float | None = None
    key_starts: Tensor | None = None
    documents: Tensor | None = None
    prefix: int = 0
    stride: int | None = None
    global_tokens: int | Tensor = 0
    random_blocks: Tensor | None = None
    block: int = 1
    alibi_slopes: Tensor | None = None
    t5_bias: Tensor | None = None
    t5_bidirectional: bool = True
    t5_max_distance: int = 128
    bias: Tensor | None = None
    sinks: Tensor | None = None
    relative_keys: Tensor | None = None
    additive: Tensor | None = None
    head_gate: Tensor | None = None
    edge_queries: Tensor | None = None
    edge_keys: Tensor | None = None
    edge_bias: Tensor | None = None
    edge_scale: Tensor | None = None

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}; the usual one is D ** -0.5")
        if self.softcap is not None and not self.softcap > 0:
            raise ValueError(f"softcap must be positive, got {self.softcap}; None switches it off")
        for name in ("window", "stride", "block"):
            size = getattr(self, name)
            if size is not None and size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        if self.prefix < 0 or (self.prefix and not self.causal):
            raise ValueError(f"prefix needs causal=True and must not be negative, got {self.prefix}; see global_tokens")
        if self.block > 1 and not self.used & {"window", "stride", "random_blocks"}:
            raise ValueError("block counts window, stride or random_blocks: give one of them, or leave it 1")
        if self.block > 1 and self.key_starts is not None:
            raise ValueError("block and key_starts do not go together: left padding would shift the blocks")
        if self.additive is not None and self.relative_keys is not None:
            raise ValueError("additive and relative_keys do not go together: relative keys are part of a dot product")
        if (self.edge_queries is None) != (self.edge_keys is None):
            raise ValueError("edge_queries and edge_keys name the two ends of the edges: give both")
        if (self.edge_keys is None) != (self.edge_bias is None and self.edge_scale is None):
            raise ValueError("edges need edge_bias or edge_scale, and those need edge_queries and edge_keys")

    @cached_property
    def used(self) -> frozenset[str]:
        """The optional fields that say something; those that only qualify another one are left out."""
        own = vars(self)
        return frozenset([name for name, unused in _UNUSED.items() if own[name] is not unused])

    @property
    def positional(self) -> bool:
        """Whether a query's position means anything; without, queries and keys may be of different texts."""
        return bool(self.used & _POSITIONAL)

    def for_heads(self, heads: Sequence[int]) -> AttentionSpec:
        """The spec for a choice of query heads, in that order, each with its own part of every [H] field."""
        at: dict[str, Any] = {}
        for name in ("alibi_slopes", "sinks", "additive", "head_gate", "random_blocks", "relative_keys"):
            field = getattr(self, name)
            if field is not None and not _shared_by_heads(name, field):
                at[name] = field[list(heads)]
        for name in ("t5_bias", "bias", "edge_queries", "edge_keys"):
            field = getattr(self, name)
            if field is not None and (name == "t5_bias" or field.shape[1] > 1):
                at[name] = field[:, list(heads)]
        return replace(self, **at) if at else self

    def for_sequence(self, b: int) -> AttentionSpec:
        """The spec for sequence b of the batch alone."""
        at: dict[str, Any] = {}
        for name in ("key_lengths", "key_starts", "documents", "bias", "edge_queries", "edge_keys", "global_tokens"):
            field = getattr(self, name)
            if isinstance(field, Tensor) and field.shape[0] > 1 and not (name == "global_tokens" and field.dim() == 1):
                at[name] = field[b : b + 1]
        return replace(self, **at) if at else self


def _shared_by_heads(name: str, field: Tensor) -> bool:
    return (name == "random_blocks" and field.shape[0] == 1) or (name == "relative_keys" and field.dim() == 2)


# What each optional field is when it says nothing; compared by identity, which small ints and None have.
_UNUSED: dict[str, Any] = {
    field.name: field.default
    for field in AttentionSpec.__dataclass_fields__.values()
    if field.name not in ("scale", "t5_bidirectional", "t5_max_distance")
}
_POSITIONAL = {
    "causal",
    "window",
    "documents",
    "stride",
    "global_tokens",
    "random_blocks",
    "alibi_slopes",
    "t5_bias",
    "relative_keys",
}

# The fields of scores that learn. head_gate learns too, but after the kernels.
LEARNED = ("t5_bias", "sinks", "relative_keys", "additive")


def learns(q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, spec: AttentionSpec) -> bool:
    """Whether a gradient is wanted of anything that makes scores or values."""
    if not torch.is_grad_enabled():
        return False
    operands = (q_BHQD, k_BGKD, v_BGKD, *(getattr(spec, name) for name in LEARNED))
    return any(x is not None and x.requires_grad for x in operands)


class Attended(NamedTuple):
    """out_BHQD, the log-sum-exp lse_BHQ in nats, and the implementation that computed them.

    On request, of each row of the map the entropy in nats and the largest probability, [B, H, Q].
    """

    out: Tensor
    lse: Tensor
    implementation: str
    entropy: Tensor | None = None
    maximum: Tensor | None = None


class Pooled(NamedTuple):
    """Probabilities of cell x cell blocks, float32 [B, H, R, C]; the mean is over visible pairs only.

    A cell without a visible pair is 0 in both. The mean is None where it was not asked for.
    """

    maximum: Tensor
    mean: Tensor | None


class TopKeys(NamedTuple):
    """The strongest keys of each query, strongest first: int64 [B, H, rows, C], and their probabilities, float32.

    Where fewer keys than C have any probability, the key is -1 and the probability 0.
    """

    keys: Tensor
    probabilities: Tensor


class LogScale(NamedTuple):
    """Probabilities as 8-bit pixels: clamp(round(255 + steps * log2 p), 0, 255), made without an exponential.

    Pixel 0 stands for hidden pairs and for all p below 2 ** (-254.5 / steps). Elsewhere the logarithm is off by half a
    step at most: p by a factor of 2 ** (0.5 / steps), which is 2.2 % for 16 steps an octave, down to p = 1.6e-5.
    """

    steps: float = 16.0

    def pixels(self, log2_map: Tensor) -> Tensor:
        return (log2_map * self.steps).add_(255).round_().clamp_(0, 255).to(torch.uint8)

    def probabilities(self, pixels: Tensor) -> Tensor:
        return ((pixels.float() - 255) / self.steps).exp2_().masked_fill_(pixels == 0, 0)


# On each side of its own position, the keys whose probability a summary keeps of every row.
NEAR = 16


class Summary(NamedTuple):
    """What is told of a whole map, from one pass over it, float32.

    maximum   [B, H, R, C]            of its cells
    measures  [B, H] each             `dispatch.map_stats`
    received  [B, H, K]               `dispatch.map_received`
    near      [B, H, Q, 2 NEAR + 1]   p_(s - NEAR) .. p_(s + NEAR) of each row at position s, 0 outside of the map
    """

    maximum: Tensor
    measures: dict[str, Tensor]
    received: Tensor
    near: Tensor
