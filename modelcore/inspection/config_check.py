"""A config.json as a stranger wrote it: what sizes it may ask for, and which of its keys are kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from modelcore.checkpoints.error import CheckpointError

BYTES_LIMIT = 1 << 20
DEPTH_LIMIT = 8
KEYS_LIMIT = 60_000
"""Names of classes are keys too: ImageNet-21k has as many, twice."""
SIZE_LIMIT = 1 << 31
COUNT_LIMIT = 4096
_COUNTED = ("layers", "n_layer", "blocks", "depth", "experts", "heads", "n_head")
# Whose values are names that a model gives its classes.
_NAMES = ("id2label", "label2id")

# What has another program, or the internet, bring a part of the model. It is left out, and said so.
CODE = frozenset(["auto_map", "custom_pipelines", "trust_remote_code", "kernel_config", "use_kernels"])


def require_possible(values: dict[str, Any]) -> None:
    """Raises: CheckpointError naming the key of a number that no model has."""
    count = 0
    for key, value in _numbers(values, "", 0):
        count += 1
        if count > KEYS_LIMIT:
            raise bad_config(f"it holds more than {KEYS_LIMIT:,} values", "", KEYS_LIMIT)
        if isinstance(value, float) and not math.isfinite(value):
            raise bad_config(f"{key} is {value}, which is no number", key)
        if not isinstance(value, int) or isinstance(value, bool):
            continue
        limit = COUNT_LIMIT if any(word in key.rpartition(".")[2] for word in _COUNTED) else SIZE_LIMIT
        if abs(value) > limit:
            raise bad_config(f"{key} is {_short(value)}; at most {limit:,} is read", key, limit)


def _numbers(value: Any, key: str, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > DEPTH_LIMIT:
        raise bad_config(f"{key} is nested more than {DEPTH_LIMIT} deep", key, DEPTH_LIMIT)
    if isinstance(value, dict):
        for name, inner in value.items():
            if name not in _NAMES:
                yield from _numbers(inner, f"{key}.{name}"[:120].lstrip("."), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, key, depth + 1)
    else:
        yield key, value


def without_code(values: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A copy without what names code or is transformers' own bookkeeping, and the keys that were left out."""
    dropped: list[str] = []

    def kept(inner: Any, place: str) -> Any:
        if isinstance(inner, list):
            return [kept(item, place) for item in inner]
        if not isinstance(inner, dict):
            return inner
        left = {}
        for name, value in inner.items():
            if name in CODE or (name.startswith("_") and name != "__float__"):
                dropped.append(f"{place}{name}"[:80])
            else:
                left[name] = kept(value, f"{place}{name}.")
        return left

    return kept(values, ""), dropped


def bad_config(what: str, key: str, limit: int | None = None) -> CheckpointError:
    return CheckpointError(f"config.json: {what}."[:300], code="bad_config", field=key or None, limit=limit)


def _short(value: int) -> str:
    return f"{value:,}" if abs(value) < 10**15 else f"a number of about {len(str(abs(value)))} digits"


class Noted(dict[str, Any]):
    """A config.json that notes which of its keys are read."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        self.read.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            self.read.add(key)
        return super().__contains__(key)
