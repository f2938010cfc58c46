"""What a mask says, in the fewest words: as fields of AttentionSpec where some say it exactly, else as a bias.

transformers makes masks as large as the map. Ours are `UnreadMask`s: tensors without memory that know how to
make any of their rows. They are read a block of rows at a time, and what is found, exactly, is O(n).
"""

# B batch, H heads or 1, R rows of one block, Q queries, K keys

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

# Elements that are looked at together.
BLOCK_ELEMENTS = 1 << 22

# The most that is kept of one site where only the whole says it: a bias, or a map that a model gave as it is.
WHOLE_LIMIT_ELEMENTS = 1 << 24


class UnreadMask(torch.Tensor):
    """An additive mask [B, 1, Q, K] that is made only if somebody computes with it.

    `visible(rows)` says which keys some rows see, bool [B, 1, R, K]. Whatever operation touches the mask gets
    what eager attention would have got: 0 where a key is seen, else the lowest number of the dtype.
    """

    visible: Callable[[range], Tensor]

    @staticmethod
    def __new__(cls, shape: tuple[int, ...], dtype: torch.dtype, visible: Callable[[range], Tensor]) -> UnreadMask:
        device = visible(range(1)).device
        mask = torch.Tensor._make_wrapper_subclass(cls, shape, dtype=dtype, device=device)
        mask.visible = visible
        return mask

    def made(self) -> Tensor:
        """The whole mask. Materialises Q × K."""
        seen = self.visible(range(self.shape[2]))
        lowest = torch.finfo(self.dtype).min
        return torch.zeros(seen.shape, dtype=self.dtype, device=self.device).masked_fill_(~seen, lowest)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        args, kwargs = tree_map(lambda x: x.made() if isinstance(x, cls) else x, (args, kwargs or {}))
        return func(*args, **kwargs)


def headlight_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int = 0,
    kv_offset: int = 0,
    *,
    mask_function: Callable[..., Any],
    attention_mask: Tensor | None = None,
    dtype: torch.dtype = torch.float32,
    allow_is_bidirectional_skip: bool = False,
    local_size: int | None = None,
    use_vmap: bool = False,
    device: torch.device | str = "cpu",
    **_: Any,
) -> Tensor | None:
    """transformers' `eager_mask`, as an UnreadMask; the parameters are those of its mask interface."""
    from transformers.masking_utils import sdpa_mask

    if allow_is_bidirectional_skip and attention_mask is None and (local_size is None or kv_length < local_size):
        return None

    def visible(rows: range) -> Tensor:
        seen = sdpa_mask(
            batch_size=batch_size,
            q_length=len(rows),
            kv_length=kv_length,
            q_offset=q_offset + rows.start,
            kv_offset=kv_offset,
            mask_function=mask_function,
            attention_mask=attention_mask,
            allow_is_causal_skip=False,
            allow_is_bidirectional_skip=False,
            use_vmap=use_vmap,
            device=device,
        )
        assert seen is not None, "a mask that may not be skipped is made"
        return seen

    return UnreadMask((batch_size, 1, q_length, kv_length), dtype, visible)


def fields_of(mask: Tensor | None, batch: int, queries: int, keys: int) -> dict[str, Any]:
    """The fields of an AttentionSpec that hide what the mask hides, and add what it adds.

    Raises: ValueError if a query sees no key, or only a bias beyond WHOLE_LIMIT_ELEMENTS would say it.
    """
    if mask is None:
        return {}
    if isinstance(mask, UnreadMask) and tuple(mask.shape[2:]) == (queries, keys):
        band = _band(mask.visible, queries, keys)
        fields = None if band is None else _band_fields(band, batch, queries, keys)
        if fields is not None:
            return fields
    return _fields_of_tensor(mask.made() if isinstance(mask, UnreadMask) else mask, batch, queries, keys)


def _fields_of_tensor(mask: Tensor, batch: int, queries: int, keys: int) -> dict[str, Any]:
    mask = mask.view((1,) * (4 - mask.dim()) + tuple(mask.shape))[..., :keys]
    mask = mask.expand(*mask.shape[:2], queries, keys)
    seen = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
    if mask.dtype == torch.bool or not (mask.masked_fill(~seen, 0)).any():
        band = _band(lambda rows: seen[:, :, rows.start : rows.stop], queries, keys)
        fields = None if band is None else _band_fields(band, batch, queries, keys)
        if fields is not None:
            return fields
    if not seen.any(-1).all():
        raise ValueError("a query sees no key at all, and its row of the map is undefined")
    require_room(mask.shape[1], queries, keys)
    added = torch.zeros_like(seen, dtype=torch.float32) if mask.dtype == torch.bool else mask.float()
    return {"bias": added.masked_fill(~seen, -torch.inf)}


def require_room(heads: int, queries: int, keys: int) -> None:
    """Raises: ValueError if something as large as the map would be too large to keep."""
    if heads * queries * keys > WHOLE_LIMIT_ELEMENTS:
        longest = int((WHOLE_LIMIT_ELEMENTS // heads) ** 0.5)
        raise ValueError(
            f"this attention can only be kept whole, for {heads} heads up to {longest:,} tokens; "
            f"the text has {max(queries, keys):,}, shorten it"
        )


class _Band(NamedTuple):
    """The first and the last key that each query sees, all between being seen too; int64 [Q] both."""

    first: Tensor
    last: Tensor


def _band(visible: Callable[[range], Tensor], queries: int, keys: int) -> _Band | None:
    """None if some query sees no run of keys, or the samples or heads differ."""
    step = max(1, BLOCK_ELEMENTS // keys)
    firsts, lasts = [], []
    for start in range(0, queries, step):
        seen_BHRK = visible(range(start, min(start + step, queries)))
        seen_RK = seen_BHRK[0, 0]
        if seen_BHRK.shape[:2] != (1, 1) and not (seen_BHRK == seen_RK).all():
            return None
        as_bytes = seen_RK.byte()
        first, last = as_bytes.argmax(-1), keys - 1 - as_bytes.flip(-1).argmax(-1)
        if not (seen_RK.sum(-1) == last - first + 1).all():
            return None
        firsts.append(first)
        lasts.append(last)
    return _Band(torch.cat(firsts), torch.cat(lasts))


def _band_fields(band: _Band, batch: int, queries: int, keys: int) -> dict[str, Any] | None:
    """The fields that say this band and nothing else; None if there are none."""
    first, last = band
    own = torch.arange(queries, device=first.device) + (keys - queries)
    from_start = bool((first == 0).all())
    if from_start and (last == last[0]).all():
        whole = int(last[0]) == keys - 1
        return {} if whole else {"key_lengths": torch.full((batch,), int(last[0]) + 1, device=first.device)}
    if (last == own).all():
        return _causal_fields(first, own, batch)
    if from_start and (last == own.clamp(min=int(last[0]))).all():
        return {"causal": True, "prefix": int(last[0]) + 1}
    reach = int(last[0] - own[0])
    if reach > 0 and (last == (own + reach).clamp(max=keys - 1)).all() and (first == (own - reach).clamp(min=0)).all():
        return {"window": reach}
    return None


def _causal_fields(first: Tensor, own: Tensor, batch: int) -> dict[str, Any] | None:
    if (first == 0).all():
        return {"causal": True}
    window = int(own[-1] - first[-1]) + 1
    if (first == (own - window + 1).clamp(min=0)).all():
        return {"causal": True, "window": window}
    opens = first == own
    if own[0] == 0 and (first == torch.where(opens, own, 0).cummax(0).values).all():
        return {"causal": True, "documents": opens.cumsum(0).expand(batch, -1).contiguous()}
    return None
