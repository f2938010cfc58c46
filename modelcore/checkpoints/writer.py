"""Saves a model in Hugging Face's layout, so that what is trained here opens in `transformers`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from modelcore.checkpoints.agreement import first_difference
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.families import FAMILIES
from modelcore.checkpoints.reader import CONFIG_FILE
from modelcore.checkpoints.weights import SINGLE_FILE
from modelcore.config import ModelConfig
from modelcore.models.build import Transformer
from modelcore.tokenizer import Tokenizer


def save_checkpoint(
    folder: Path,
    model: Transformer,
    family: str,
    tokenizer: Tokenizer | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Writes config.json, model.safetensors and tokenizer.json; each file appears whole or not at all.

    Raises: CheckpointError, before anything is written, if the family has no way to say what the model computes.
    """
    layout = FAMILIES[family]
    values = layout.write_config(model.config) | {"dtype": str(dtype).removeprefix("torch.")}
    lost = unsayable(model.config, family)
    if lost is not None:
        raise CheckpointError(
            f"a {values['model_type']} checkpoint cannot say what this model's {lost} is; save it as another family."
        )
    table = layout.entries(model.config)
    folder.mkdir(parents=True, exist_ok=True)
    parameters = {name: tensor.detach().to("cpu", dtype) for name, tensor in model.state_dict().items()}
    tensors = {entry.name: entry.pack(parameters) for entry in table}
    with_temporary(folder / SINGLE_FILE, lambda file: save_file(tensors, file, metadata={"format": "pt"}))
    write_json(folder / CONFIG_FILE, values)
    if tokenizer is not None:
        with_temporary(folder / "tokenizer.json", tokenizer.save)


def unsayable(config: ModelConfig, family: str) -> str | None:
    """The first field that a checkpoint of this family has no way to tell, as "decoder.head_width"."""
    layout = FAMILIES[family]
    shapes = {entry.name: entry.shape for entry in layout.entries(config)}
    return first_difference(config, layout.read_config(layout.write_config(config), shapes))


def write_json(path: Path, values: dict[str, Any]) -> None:
    """One JSON object, readable, replaced in one step."""
    text = json.dumps(values, indent=2, ensure_ascii=False) + "\n"
    with_temporary(path, lambda file: file.write_text(text, encoding="utf-8"))


def with_temporary(path: Path, write: Callable[[Path], object]) -> None:
    """Lets `write` fill a file beside `path`, then renames it there; where that fails nothing is left of it."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        write(temporary)
        os.replace(temporary, path)
    except BaseException:
        # On a full disk what was half written is the space in which to tell of it.
        temporary.unlink(missing_ok=True)
        raise
