"""The attention function that transformers calls for us: our kernels, our tap, our edits.

A model's attention modules hand over queries, keys, values and a mask; what they mean is decided by eager
attention, transformers' plain implementation. Whom a call belongs to stands in a context variable that is set
for one forward pass and taken back with it.
"""

# B batch, H query heads, G key heads, Q queries, K keys, D head width

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from kernels import dispatch
from kernels.spec import AttentionSpec
from modelcore.adapters.mask import fields_of, require_room
from modelcore.adapters.place import may_be
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import AttentionSite
from modelcore.layers.attention_map import AttentionMap, Tap
from modelcore.layers.edits import Edits

NAME = "headlight"

# Given to every attention function; eager attention, which alone says what a model computes, reads none of
# them. What a window or causality hides is in the mask already.
WITHOUT_EFFECT = frozenset(
    [
        "is_causal",
        "sliding_window",
        "position_ids",
        "cache_position",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
        "use_cache",
        "return_dict",
        "deterministic",
        "layer_idx",
        "logits_to_keep",
    ]
)


@dataclass(frozen=True, eq=False)
class Call:
    """One call of the attention function: by which module, with what; the map is kept as an AttentionMap is."""

    module: nn.Module
    q_BHQD: Tensor
    k_BGKD: Tensor
    lse_BHQ: Tensor
    spec: AttentionSpec
    implementation: str

    def map_at(self, site: AttentionSite) -> AttentionMap:
        return AttentionMap(site, self.q_BHQD, self.k_BGKD, self.lse_BHQ, self.spec, self.implementation)


@dataclass(frozen=True)
class Planned:
    """Which module attends next in a forward pass, and at which site; None: it attends, but to no tokens."""

    module: str
    site: AttentionSite | None


# What the masks of a pass say, by the mask's id and the lengths it was met with; held, so that no other takes its id.
KnownMasks = dict[tuple[int, int, int], tuple[Tensor, dict[str, Any]]]


@dataclass(eq=False)
class Pass:
    """One forward pass: what is planned, who watches, what is changed, and how far it is."""

    paths: Mapping[nn.Module, Sequence[str]]
    plan: Sequence[Planned]
    batch: int
    lengths: Sequence[int]
    tap: Tap | None = None
    edits: Edits | None = None
    masks: KnownMasks = field(default_factory=dict)
    calls: int = 0

    def site(self, module: nn.Module, q_BHQD: Tensor, k_BGKD: Tensor) -> AttentionSite | None:
        """Where this module attends. Raises: CheckpointError where the pass leaves the plan."""
        own = self.paths.get(module, [type(module).__name__])
        if self.calls >= len(self.plan) or self.plan[self.calls].module not in own:
            raise CheckpointError(
                f"{own[0]} attended out of the order that was seen when the checkpoint was checked; "
                "its map would stand at a wrong place."
            )
        site = self.plan[self.calls].site
        self.calls += 1
        queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
        if site is not None and (q_BHQD.shape[0] != self.batch or not may_be(site, queries, keys, self.lengths)):
            raise CheckpointError(
                f"At {site} {queries} queries attend to {keys} keys, which are not the tokens of this input: "
                "longer ones are read in another way, which cannot be shown."
            )
        return site


@dataclass(eq=False)
class Rehearsal:
    """A forward pass that finds out which modules attend, in which order."""

    calls: list[Call] = field(default_factory=list)
    masks: KnownMasks = field(default_factory=dict)


_CURRENT: ContextVar[Pass | Rehearsal | None] = ContextVar("headlight_pass", default=None)


@contextmanager
def taking_place(current: Pass | Rehearsal) -> Iterator[None]:
    """Hands a pass to the attention function for as long as the block runs."""
    token = _CURRENT.set(current)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None = None,
    scaling: float | None = None,
    dropout: float = 0.0,
    *,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    position_bias: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """transformers' attention interface; `dropout` is for training, which adapted models do not know.

    Shapes: query [B, H, Q, D], key [B, G, K, D], value [B, G, K, E]; returns [B, Q, H, E].
    Raises: CheckpointError for a keyword that may change the mathematics and is not known here.
    """
    unknown = sorted(name for name, given in others.items() if given is not None and name not in WITHOUT_EFFECT)
    if unknown:
        raise CheckpointError(f"{type(module).__name__} attends with {unknown[0][:80]}, which is not supported.")
    current = _CURRENT.get()
    fields = _mask_fields(attention_mask, query, key, {} if current is None else current.masks)
    if position_bias is not None:
        fields["bias"] = _sum_of_biases(position_bias, fields.get("bias"), query, key)
    if s_aux is not None:
        fields["sinks"] = s_aux.detach().reshape(-1)
    spec = AttentionSpec(scale=_scale(scaling, query), softcap=softcap, **fields)
    site = current.site(module, query, key) if isinstance(current, Pass) else None
    if isinstance(current, Pass) and current.edits is not None and site is not None and site in current.edits:
        queries, keys = range(query.shape[2]), range(key.shape[2])
        spec = current.edits[site].applied(spec, query.shape[1], queries, keys, query.device)
    attended = dispatch.attend(query, key, value, spec)
    call = Call(module, query, key, attended.lse, spec, attended.implementation)
    if isinstance(current, Rehearsal):
        current.calls.append(call)
    elif current is not None and current.tap is not None and site is not None:
        current.tap(call.map_at(site))
    return attended.out.transpose(1, 2).contiguous(), None


def _scale(scaling: float | Tensor | None, q_BHQD: Tensor) -> float:
    if scaling is None:
        return q_BHQD.shape[-1] ** -0.5
    if isinstance(scaling, Tensor) and scaling.numel() != 1:
        raise CheckpointError("This model scales the scores of each head or token by its own; that is not supported.")
    return float(scaling)


def _mask_fields(mask: Tensor | None, q_BHQD: Tensor, k_BGKD: Tensor, known: KnownMasks) -> dict[str, Any]:
    """What the mask says; layers mostly share one, which is read once in a pass."""
    if mask is None:
        return {}
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    key = (id(mask), queries, keys)
    if key not in known:
        known[key] = mask, fields_of(mask, q_BHQD.shape[0], queries, keys)
    return dict(known[key][1])


def _sum_of_biases(position_bias: Tensor, bias: Tensor | None, q_BHQD: Tensor, k_BGKD: Tensor) -> Tensor:
    """One bias [1 or B, 1 or H, Q, K] of two."""
    queries, keys = q_BHQD.shape[2], k_BGKD.shape[2]
    position_bias = position_bias.detach().view((1,) * (4 - position_bias.dim()) + tuple(position_bias.shape))
    require_room(position_bias.shape[1], queries, keys)
    position_bias = position_bias.expand(*position_bias.shape[:2], queries, keys).float()
    return position_bias if bias is None else position_bias + bias
