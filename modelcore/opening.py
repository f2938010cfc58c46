"""Opens any checkpoint folder: natively where a family knows its architecture, else through transformers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.families import FAMILIES
from modelcore.checkpoints.reader import open_checkpoint, read_config_file
from modelcore.checkpoints.weights import Weights
from modelcore.config import ModelShape
from modelcore.models.readable import Readable
from modelcore.tokenizer import Tokenizer


class Openable(Protocol):
    """A checked checkpoint whose weights have not been read yet."""

    @property
    def path(self) -> Path: ...
    @property
    def weights(self) -> Weights: ...
    @property
    def family(self) -> str: ...
    @property
    def config(self) -> ModelShape: ...
    @property
    def tokenizer(self) -> Tokenizer | None: ...
    @property
    def parameters(self) -> int: ...
    @property
    def size_bytes(self) -> int: ...
    @property
    def unused(self) -> list[str]: ...

    def support(self) -> list[dict[str, Any]]:
        """For each site: its address, its heads, which keys it sees, and how its map is had."""
        ...

    def details(self) -> dict[str, Any]:
        """Sizes and choices beyond the common ones, for the manifest."""
        ...

    def refuse_disagreement(self) -> None:
        """Reads what is stored twice. Raises: CheckpointError where it disagrees."""
        ...

    def load(self, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Readable: ...


def open_any(path: Path, *, limited: bool = False) -> Openable:
    """Recognises and checks a checkpoint folder in Hugging Face's layout, without reading its weights.

    A `limited` one is a stranger's: its tokenizer runs in a process of its own.
    Raises: CheckpointError with one sentence that says what is wrong.
    """
    values = read_config_file(path)
    model_type = values.get("model_type")
    if not isinstance(model_type, str):
        raise CheckpointError('config.json has no model_type; it should name the family, as in "gpt2".')
    if model_type in FAMILIES:
        return replace(open_checkpoint(path), limited=limited)
    # Imports transformers, for which models with a family of ours need not wait.
    from modelcore.adapters.open import open_adapted

    return replace(open_adapted(path, values), limited=limited)
