"""All maps and logits of one forward pass in a single `.npz` file, for people who script."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from modelcore.analysis.request import TraceRequest
from modelcore.analysis.trace import as_batch, read_sequences
from modelcore.config import ModelConfig
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import Transformer
from modelcore.tokenizer import Tokenizer


@torch.inference_mode()
def archive_maps(
    out: Path, model: Transformer, config: ModelConfig, request: TraceRequest, tokenizer: Tokenizer | None
) -> None:
    """Writes `logits` (n, vocabulary), every site's map (heads, queries, keys), and the ids of each sequence.

    All float32, ids int32; the file appears whole or not at all. Materialises every map.
    Raises: RequestError where the request and the model do not fit.
    """
    arrays: dict[str, np.ndarray] = {}
    batches = []
    for read in read_sequences(model, config, request, tokenizer):
        arrays[f"{read.sequence}.ids"] = np.array(read.encoding.ids, dtype=np.int32)
        batches.append(as_batch(read, model))

    def keep(map_: AttentionMap) -> None:
        arrays[str(map_.site)] = map_.tile()[0].cpu().numpy()

    arrays["logits"] = model(*batches, tap=keep)[0].float().cpu().numpy()
    temporary = out.with_name(f".{out.name}.part")
    with temporary.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # the stub takes an array for the flag beside it
    os.replace(temporary, out)
