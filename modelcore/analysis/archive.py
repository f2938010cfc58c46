"""All maps and results of one forward pass in a single `.npz` file, for people who script."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.analysis.trace import as_batch, read_sequences, token_types
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through
from modelcore.tokenizer import Tokenizer


@torch.inference_mode()
def archive_maps(out: Path, model: Readable, request: TraceRequest, tokenizer: Tokenizer | None) -> None:
    """Writes what the model gives, every site's map (heads, queries, keys), and the ids of each sequence.

    What it gives is named `logits`, (n, vocabulary), (n, classes) or (classes), or `hidden` (n, width) where
    there is no head. All float32, ids int32; the file appears whole or not at all. Materialises every map.
    Raises: RequestError where the request and the model do not fit.
    """
    arrays: dict[str, np.ndarray] = {}
    inputs = []
    types: dict[str, Tensor] = {}
    for read in read_sequences(model, request, tokenizer):
        arrays[f"{read.sequence}.ids"] = np.array(read.encoding.ids, dtype=np.int32)
        inputs.append(as_batch(read, request, model))
        types |= token_types(read, model)

    def keep(map_: AttentionMap) -> None:
        arrays[str(map_.site)] = _array(map_.tile())

    given = run_through(model.layerwise(*inputs, tap=keep, **types))
    arrays["hidden" if model.config.output == "hidden" else "logits"] = _array(given)
    temporary = out.with_name(f".{out.name}.part")
    try:
        with temporary.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes an array for the flag beside it
        os.replace(temporary, out)
    finally:
        temporary.unlink(missing_ok=True)


def _array(batch: Tensor) -> np.ndarray:
    """The first of a batch."""
    return batch[0].float().cpu().numpy()
