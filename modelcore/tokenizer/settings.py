"""What `tokenizer_config.json` and `special_tokens_map.json` say beside a vocabulary."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelcore.tokenizer.error import TokenizerError

# The first one that holds a key is believed.
SETTINGS_FILES = ("tokenizer_config.json", "special_tokens_map.json")
LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Settings:
    """Both files as one; empty where there are none."""

    values: dict[str, Any] = field(default_factory=dict)

    @property
    def tokenizer_class(self) -> str:
        """The layout of the ids, as transformers calls it, without its two spellings of one thing."""
        return str(self.values.get("tokenizer_class") or "").removesuffix("Fast")

    def flag(self, key: str, default: bool | None) -> bool | None:
        """Raises: TokenizerError if it is neither true, false nor null."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise TokenizerError(f"tokenizer_config.json: {key} must be true or false, not {str(value)[:40]!r}.")
        return default if value is None else value

    def count(self, key: str, default: int, limit: int) -> int:
        value = self.values.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= limit:
            raise TokenizerError(f"tokenizer_config.json: {key} must be a whole number from 0 to {limit}.")
        return value

    def token(self, key: str, default: str | None = None) -> str | None:
        """A special token, written as text or as an object that holds it."""
        value = self.values.get(key)
        if isinstance(value, dict):
            value = value.get("content")
        if value is not None and not isinstance(value, str):
            raise TokenizerError(f"tokenizer_config.json: {key} must be a token's text.")
        return default if value is None else value


def read_settings(folder: Path) -> Settings:
    """Raises: TokenizerError if a file is no JSON object."""
    values: dict[str, Any] = {}
    for name in SETTINGS_FILES:
        if (folder / name).is_file():
            values = read_object(folder / name, LIMIT_BYTES) | values
    return Settings(values)


def read_object(file: Path, limit_bytes: int) -> dict[str, Any]:
    """One JSON object of at most so many bytes. Raises: TokenizerError."""
    if file.stat().st_size > limit_bytes:
        raise TokenizerError(f"{file.name} is longer than {limit_bytes:,} bytes, the most that is read.")
    try:
        value = json.loads(file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise TokenizerError(f"{file.name} is no valid JSON.") from error
    if not isinstance(value, dict):
        raise TokenizerError(f"{file.name} must hold one JSON object.")
    return value
