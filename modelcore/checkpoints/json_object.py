"""JSON that a checkpoint's folder brings, read strictly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelcore.checkpoints.error import CheckpointError


def read_json_object(file: Path, limit_bytes: int) -> dict[str, Any]:
    """A JSON file that holds one object. Raises: CheckpointError."""
    size = file.stat().st_size
    if size > limit_bytes:
        raise CheckpointError(f"{file.name} is {size:,} bytes long; at most {limit_bytes:,} are read.")
    return parse_object(file.name, file.read_bytes())


def parse_object(name: str, raw: bytes) -> dict[str, Any]:
    """One JSON object, no key of it twice. Raises: CheckpointError naming the file."""
    try:
        value = json.loads(raw, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        doubled = str(error) if isinstance(error, _DoubledKey) else "it is not valid JSON"
        raise CheckpointError(f"{name} cannot be read: {doubled}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} cannot be read: it must hold one JSON object.")
    return value


class _DoubledKey(ValueError):
    pass


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _DoubledKey(f"it declares {ascii(key[:80])[1:-1]} twice")
            seen.add(key)
    return made
