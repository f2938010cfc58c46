"""What a checkpoint is, as JSON: for the command line and for the site's library."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from modelcore.analysis.request import takes_pairs
from modelcore.checkpoints.weights import Weights
from modelcore.config import AttentionSite
from modelcore.opening import Openable, open_any

# Bytes of one weight in the dtypes that models run in.
DTYPE_BYTES = {"float32": 4, "float16": 2}


def describe(path: Path) -> dict[str, Any]:
    """Family, every size, parameters, memory, and what is supported site by site. Reads no weights.

    Raises: CheckpointError with one sentence that says what is wrong.
    """
    return describe_opened(open_any(path))


def describe_opened(checkpoint: Openable) -> dict[str, Any]:
    """The same of one that was opened already."""
    config, tokenizer, support = checkpoint.config, checkpoint.tokenizer, checkpoint.support()
    sites = [AttentionSite.parse(entry["site"]) for entry in support]
    layers = {stack: len({site.layer for site in sites if site.stack == stack}) for stack in ("encoder", "decoder")}
    return {
        "name": checkpoint.path.resolve().name,
        "family": checkpoint.family,
        "architecture": config.architecture,
        "layers": layers["decoder"] or layers["encoder"],
        "encoder_layers": layers["encoder"],
        "heads": support[-1]["heads"],
        "key_heads": support[-1]["key_heads"],
        "width": config.width,
        **checkpoint.details(),
        "vocabulary": config.vocabulary,
        "positions": config.positions,
        "longest": config.longest,
        "output": config.output,
        "parameters": checkpoint.parameters,
        "dtype": _dtype(checkpoint.weights),
        "size_bytes": checkpoint.size_bytes,
        "memory_bytes": {dtype: checkpoint.parameters * size for dtype, size in DTYPE_BYTES.items()},
        "sites": [entry["site"] for entry in support],
        "has_tokenizer": tokenizer is not None,
        "pairs": takes_pairs(config, tokenizer),
        "longest_token": tokenizer.longest_token if tokenizer else None,
        "unused": checkpoint.unused,
        "support": support,
    }


def _dtype(weights: Weights) -> str:
    """The dtype that most bytes of the weights are stored in, as safetensors calls it."""
    sizes: Counter[str] = Counter()
    for tensor in weights.tensors.values():
        sizes[tensor.dtype] += tensor.size_bytes
    return sizes.most_common(1)[0][0] if sizes else "F32"
