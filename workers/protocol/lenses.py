"""Where a model's tuned lens lies in the data folder, and what is told of it, for readers without torch.

    DATA/lenses/MODEL/lens.safetensors      trained; u64 length | JSON header | tensors
    DATA/lenses/MODEL/training-TOKEN/       in training

Source: the safetensors format, https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HEADER_LIMIT_BYTES = 1 << 20

LEAST_TOKENS = 256
"""As `modelcore.analysis.tuned_lens` has it, for the site, which does not know it."""


def folder(data: Path, model: str) -> Path:
    return data / "lenses" / model


def place(data: Path, model: str) -> Path:
    return folder(data, model) / "lens.safetensors"


def training_folder(data: Path, model: str, token: str) -> Path:
    return folder(data, model) / f"training-{token}"


def about(data: Path, model: str) -> dict[str, Any] | None:
    """What `modelcore.analysis.tuned_lens_file.AboutLens` says of the model's lens; None where there is none, or its
    file is broken.
    """
    try:
        with place(data, model).open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > HEADER_LIMIT_BYTES:
                return None
            header: dict[str, Any] = json.loads(file.read(length))
            told: dict[str, Any] = json.loads(header["__metadata__"]["about"])
            return told
    except (OSError, ValueError, KeyError, TypeError):
        return None
