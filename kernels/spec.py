"""What the attention kernels take and return: AttentionSpec, Attended, Pooled, and their checks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width
# R and C rows and columns of cells


@dataclass(frozen=True, eq=False)  # eq would compare key_lengths, and a tensor has no single truth value
class AttentionSpec:
    """Which keys a query may see, and how scores are made: softcap(scale * q.k), then softmax.

    Queries are the last Q of K positions when `causal` (bottom-right aligned, as with a KV cache):
    query i stands at key i + (K - Q) and sees it and what precedes it.

        scale         factor of q.k, positive
        causal        hide the keys after the query's own position
        window        with causal: see only the last `window` keys, the own one included
        key_lengths   [B] int64: keys at or past it are padding
        softcap       squash scores into (-softcap, softcap): softcap * tanh(score / softcap)

    Raises: ValueError for a combination that means nothing.
    Source: softcap: Gemma 2 (arXiv 2408.00118), section 2. window: Longformer (arXiv 2004.05150), 3.1.
    """

    scale: float
    causal: bool = False
    window: int | None = None
    key_lengths: Tensor | None = None
    softcap: float | None = None

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}; the usual one is D ** -0.5")
        if self.window is not None and not self.causal:
            raise ValueError("window needs causal=True: it counts keys back from the query's own position")
        if self.window is not None and self.window < 1:
            raise ValueError(f"window must be at least 1 (the query's own key), got {self.window}")
        if self.softcap is not None and not self.softcap > 0:
            raise ValueError(f"softcap must be positive, got {self.softcap}; None switches it off")


class Attended(NamedTuple):
    """out_BHQD, the log-sum-exp lse_BHQ in nats, and the implementation that computed them."""

    out: Tensor
    lse: Tensor
    implementation: str


class Pooled(NamedTuple):
    """Probabilities of cell x cell blocks, float32 [B, H, R, C]; the mean is over visible pairs only.

    A cell without a visible pair is 0 in both.
    """

    maximum: Tensor
    mean: Tensor


def check_queries_and_keys(q_BHQD: Tensor, k_BGKD: Tensor, spec: AttentionSpec) -> None:
    """Raises: ValueError where shapes, dtypes or devices do not fit together."""
    if q_BHQD.dim() != 4 or k_BGKD.dim() != 4:
        raise ValueError(
            f"q and k must be [batch, heads, tokens, width], got {tuple(q_BHQD.shape)} and {tuple(k_BGKD.shape)}"
        )
    batch, heads, queries, width = q_BHQD.shape
    key_batch, key_heads, keys, key_width = k_BGKD.shape
    if (batch, width) != (key_batch, key_width):
        raise ValueError(f"q and k must agree in batch and width, got {tuple(q_BHQD.shape)} and {tuple(k_BGKD.shape)}")
    if not (queries and keys and width and key_heads) or heads % key_heads:
        raise ValueError(
            f"query heads must be a multiple of key heads and nothing may be empty, "
            f"got {tuple(q_BHQD.shape)} and {tuple(k_BGKD.shape)}"
        )
    if q_BHQD.dtype != k_BGKD.dtype or q_BHQD.device != k_BGKD.device or not q_BHQD.is_floating_point():
        raise ValueError(
            "q and k must share one floating dtype and one device, "
            f"got {q_BHQD.dtype} on {q_BHQD.device} and {k_BGKD.dtype} on {k_BGKD.device}"
        )
    lengths = spec.key_lengths
    if lengths is not None and (lengths.shape != (batch,) or lengths.device != q_BHQD.device):
        raise ValueError(
            f"key_lengths must be [{batch}] on {q_BHQD.device}, got {tuple(lengths.shape)} on {lengths.device}"
        )


def check_values(k_BGKD: Tensor, v_BGKD: Tensor) -> None:
    """Raises: ValueError unless v has k's shape, dtype and device."""
    if (v_BGKD.shape, v_BGKD.dtype, v_BGKD.device) != (k_BGKD.shape, k_BGKD.dtype, k_BGKD.device):
        raise ValueError(
            f"v must be like k, {tuple(k_BGKD.shape)} {k_BGKD.dtype} on {k_BGKD.device}, "
            f"got {tuple(v_BGKD.shape)} {v_BGKD.dtype} on {v_BGKD.device}"
        )


def check_lse(q_BHQD: Tensor, lse_BHQ: Tensor) -> None:
    """Raises: ValueError unless lse has one number for each row of the map."""
    if lse_BHQ.shape != q_BHQD.shape[:3] or lse_BHQ.device != q_BHQD.device:
        raise ValueError(
            f"lse must be {tuple(q_BHQD.shape[:3])} on {q_BHQD.device}, as attend returned it, "
            f"got {tuple(lse_BHQ.shape)} on {lse_BHQ.device}"
        )


def check_span(name: str, span: range, size: int) -> None:
    """Raises: ValueError unless the span is a non-empty run of 0..size, step 1."""
    if span.step != 1 or not 0 <= span.start < span.stop <= size:
        raise ValueError(f"{name} must be a non-empty range within 0:{size}, step 1, got {span}")
