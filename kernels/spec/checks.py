"""What a call must satisfy before a kernel runs: shapes, dtypes, devices, and regions within the map."""

from __future__ import annotations

from torch import Tensor

from kernels.spec.attention import AttentionSpec

# B batch, H query heads, G key/value heads, Q queries, K keys, D head width


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
    _check_fields(spec, q_BHQD, keys)


def _check_fields(spec: AttentionSpec, q_BHQD: Tensor, keys: int) -> None:
    given = {name: field for name in spec.used if isinstance(field := getattr(spec, name), Tensor)}
    if not given:  # as with every small causal call, which should not pay for what follows
        return
    batch, heads, queries, width = q_BHQD.shape
    blocks = -(-keys // spec.block)
    either = [(b, h) for b in {1, batch} for h in {1, heads}]
    shapes: dict[str, list[tuple[int | None, ...]]] = {  # None is any size
        "key_lengths": [(batch,)],
        "key_starts": [(batch,)],
        "documents": [(batch, keys)],
        "global_tokens": [(None,), (batch, None)],
        "random_blocks": [(h, blocks, None) for h in {1, heads}],
        "alibi_slopes": [(heads,)],
        "t5_bias": [(None, heads)],
        "bias": [(b, h, queries, keys) for b, h in either],
        "sinks": [(heads,)],
        "relative_keys": [(None, width), (heads, None, width)],
        "additive": [(heads, width)],
        "head_gate": [(heads,)],
        "edge_queries": [(b, h, queries) for b, h in either],
        "edge_keys": [(b, h, keys) for b, h in either],
        "edge_bias": [(None,)],
        "edge_scale": [(None,)],
    }
    for name, field in given.items():
        _check_field(name, field, shapes[name], q_BHQD)
    if spec.documents is not None and queries > keys:
        raise ValueError(f"documents name each query's own, the last of {keys} keys: {queries} queries are too many")
    if spec.relative_keys is not None and spec.relative_keys.shape[-2] % 2 == 0:
        raise ValueError(
            "relative_keys must have 2c + 1 rows, one for each distance from -c to c, "
            f"got {spec.relative_keys.shape[-2]}, which is even"
        )
    if spec.bias is not None and spec.bias.requires_grad:
        raise ValueError("bias takes no gradient: detach it, or say it with t5_bias, whose table learns")


def _check_field(name: str, field: Tensor, shapes: list[tuple[int | None, ...]], like: Tensor) -> None:
    def fits(shape: tuple[int | None, ...]) -> bool:
        if len(shape) != field.dim():
            return False
        return all(size is None or size == own for size, own in zip(shape, field.shape, strict=True))

    if not any(map(fits, shapes)) or field.device != like.device:
        allowed = " or ".join(str(["any" if size is None else size for size in shape]) for shape in shapes)
        raise ValueError(f"{name} must be {allowed} on {like.device}, got {list(field.shape)} on {field.device}")
    if field.is_floating_point() != (name in FLOATS):
        raise ValueError(f"{name} must hold {'floats' if name in FLOATS else 'integers'}, got {field.dtype}")


FLOATS = {
    "alibi_slopes",
    "t5_bias",
    "bias",
    "sinks",
    "relative_keys",
    "additive",
    "head_gate",
    "edge_bias",
    "edge_scale",
}


def check_values(k_BGKD: Tensor, v_BGKD: Tensor) -> None:
    """Raises: ValueError unless v has k's shape but for the width, its dtype and its device."""
    *tokens, width = v_BGKD.shape
    if tuple(tokens) != k_BGKD.shape[:3] or not width or v_BGKD.dtype != k_BGKD.dtype or v_BGKD.device != k_BGKD.device:
        raise ValueError(
            f"v must be like k but for its width, {tuple(k_BGKD.shape)} {k_BGKD.dtype} on {k_BGKD.device}, "
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


def check_cell(cell: int) -> None:
    """Raises: ValueError unless the cell is a power of two, so that levels nest."""
    if cell < 1 or cell & (cell - 1):
        raise ValueError(f"cell must be a power of two, 1 or more, got {cell}")


def check_token_ids(k_BGKD: Tensor, token_ids_BK: Tensor | None) -> None:
    """Raises: ValueError unless there is one id for each key."""
    shape = (k_BGKD.shape[0], k_BGKD.shape[2])
    if token_ids_BK is not None and token_ids_BK.shape != shape:
        raise ValueError(f"token_ids must have one id for each key, {shape}, got {tuple(token_ids_BK.shape)}")


def check_edges(q_BHQD: Tensor, k_BGKD: Tensor, queries_E: Tensor, keys_E: Tensor) -> None:
    """Raises: ValueError unless both ends of each edge lie within the map."""
    for name, ends, size in (("queries", queries_E, q_BHQD.shape[2]), ("keys", keys_E, k_BGKD.shape[2])):
        if ends.dim() != 1 or ends.is_floating_point() or ends.shape != keys_E.shape or ends.device != q_BHQD.device:
            raise ValueError(
                f"{name} of edges must be integers [E] on {q_BHQD.device}, as many as there are keys, "
                f"got {list(ends.shape)} {ends.dtype} on {ends.device}"
            )
        if len(ends) and not 0 <= int(ends.min()) <= int(ends.max()) < size:
            raise ValueError(f"{name} of edges must lie within 0:{size}, got {int(ends.min())} to {int(ends.max())}")
