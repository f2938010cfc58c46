"""Whether two configurations describe the same computation, however each leaves out what it need not say."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from modelcore.config import HeadConfig, ModelConfig, Rotary, StackConfig

_DEFAULT_FIELDS = {field.name: field.default for field in fields(ModelConfig)}


def first_difference(one: ModelConfig, other: ModelConfig) -> str | None:
    """The first field in which they compute something else, as "decoder.patterns"; None where they do not.

    Special tokens and dropout are not compared: a forward pass reads neither.
    """
    return _difference(_spelled_out(one), _spelled_out(other))


def _difference(one: Any, other: Any) -> str | None:
    for field in fields(one):
        ours, theirs = getattr(one, field.name), getattr(other, field.name)
        if ours == theirs:
            continue
        if type(ours) is type(theirs) and isinstance(ours, (StackConfig, HeadConfig, Rotary)):
            return f"{field.name}.{_difference(ours, theirs)}"
        return field.name
    return None


def _spelled_out(config: ModelConfig) -> ModelConfig:
    """Defaults named, and what is read by nothing set back to its default."""
    idle = {"dropout", "end_token", "pad_token"}
    if config.architecture != "encoder-decoder":
        idle.add("start_token")
    for encoding, names in _READ_BY_POSITIONS.items():
        if config.position_encoding != encoding:
            idle |= names
    if config.embedding_width is None:
        idle |= {"embedding_projection", "embedding_projection_bias"}
    changes: dict[str, Any] = {name: _DEFAULT_FIELDS[name] for name in idle}
    if config.norm == "rms" or not config.norm_weight:
        changes["norm_bias"] = False
    head_widths = {config.head_width(stack) for stack in config.stacks.values()}
    if config.score == "scaled_dot" and config.attention_scale == 1.0 and not config.scale_by_layer:
        changes["score"] = "dot"
    if changes.get("score", config.score) != "scaled_dot" or {config.attention_scale} == {
        width**-0.5 for width in head_widths
    }:
        changes["attention_scale"] = None
    if config.position_encoding == "rotary":
        changes |= _rotary_spelled_out(config, max(head_widths))
    for name, stack in config.stacks.items():
        changes[name] = replace(
            stack,
            key_heads=stack.key_head_count,
            head_width=config.head_width(stack),
            patterns=tuple(stack.pattern(layer) for layer in range(stack.layers)),
        )
    return replace(config, head=_head_spelled_out(config.head), **changes)


_READ_BY_POSITIONS = {
    "rotary": {"rotary", "window_rotary"},
    "t5": {"t5_buckets", "t5_max_distance"},
    "relative_keys": {"relative_distance"},
    "learned": {"position_offset"},
}


def _rotary_spelled_out(config: ModelConfig, head_width: int) -> dict[str, Rotary | None]:
    windows = any(pattern.window for stack in config.stacks.values() for pattern in stack.patterns)
    rotary, window_rotary = (
        replace(kind, width=kind.width or head_width) for kind in (config.rotary, config.window_rotary or config.rotary)
    )
    return {"rotary": rotary, "window_rotary": window_rotary if windows and window_rotary != rotary else None}


def _head_spelled_out(head: HeadConfig) -> HeadConfig:
    if head.output == "hidden":
        return HeadConfig(output="hidden", tied=False)
    if not head.transform:
        head = replace(head, transform_bias=True)
    return replace(head, classes=0) if head.output == "vocabulary" else replace(head, tied=False)
