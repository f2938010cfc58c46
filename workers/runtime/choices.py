"""What the environment chooses for a worker: how much memory models may stay in, and in which numbers they compute."""

from __future__ import annotations

import re

import torch

from workers.runtime.engine import RESIDENT_BYTES
from workers.runtime.machine import memory_bytes

GPU_SHARE = 0.8
"""Of a GPU's memory, for weights, where nothing else was chosen; the rest is for what they compute."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resident_bytes(given: str, device: str) -> int:
    """HEADLIGHT_MODEL_BYTES: bytes, or a share as "60%"; without it 2 GiB, of a GPU four fifths.

    Raises: ValueError.
    """
    if not given:
        return int(GPU_SHARE * memory_bytes(device)) if device == "cuda" else RESIDENT_BYTES
    share = re.fullmatch(r"(\d{1,2}(?:\.\d+)?|100)%", given.strip())
    if share:
        return int(float(share[1]) / 100 * memory_bytes(device))
    if given.strip().isdigit():
        return int(given)
    raise ValueError('HEADLIGHT_MODEL_BYTES is neither a number of bytes nor a share of the memory, as "60%".')


def compute_dtype(given: str, device: str) -> torch.dtype:
    """HEADLIGHT_DTYPE; "auto" is bfloat16 on a GPU that has it, else float32. Raises: ValueError."""
    if given == "auto":
        return torch.bfloat16 if device == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if given not in DTYPES:
        raise ValueError(f"HEADLIGHT_DTYPE is not one of auto, {', '.join(DTYPES)}.")
    return DTYPES[given]
