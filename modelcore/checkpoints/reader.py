"""Opens a checkpoint folder: recognises its family, checks everything, then loads; or refuses.

The check needs no memory for weights: each tensor that the configuration asks for must stand in a
header once and with the exact shape. What is refused says why in one sentence (`CheckpointError`).
"""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kernels.cpu.matmul import one_thread
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.families import FAMILIES
from modelcore.checkpoints.json_object import read_json_object
from modelcore.checkpoints.mapping import Entry, Family, assemble
from modelcore.checkpoints.read_ahead import one_ahead
from modelcore.checkpoints.stored import WEIGHT_DTYPES
from modelcore.checkpoints.support import site_support
from modelcore.checkpoints.tokenizer_files import read_tokenizer
from modelcore.checkpoints.weights import Weights, inner_file, open_weights
from modelcore.config import ModelConfig
from modelcore.layers.linear import laid_out
from modelcore.models.build import Transformer, build
from modelcore.tokenizer import Tokenizer

CONFIG_FILE = "config.json"
CONFIG_LIMIT_BYTES = 1024 * 1024

# A file may round a constant that it repeats, sinusoids above all.
CONSTANT_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Checkpoint:
    """A checked checkpoint whose weights have not been read yet."""

    path: Path
    family: str
    config: ModelConfig
    weights: Weights
    stored_names: dict[str, str]
    unused: list[str]
    # Whether its tokenizer is a stranger's.
    limited: bool = False

    @cached_property
    def tokenizer(self) -> Tokenizer | None:
        """None where the folder holds none. Raises: CheckpointError if it cannot be read."""
        return read_tokenizer(self.path, limited=self.limited)

    @cached_property
    def entries(self) -> list[Entry]:
        return FAMILIES[self.family].entries(self.config)

    @property
    def parameters(self) -> int:
        """How many numbers the model learned; tied ones count once."""
        return sum(math.prod(entry.shape) for entry in self.entries)

    @property
    def size_bytes(self) -> int:
        return self.weights.size_bytes

    def support(self) -> list[dict[str, Any]]:
        """What can be seen of each site; see `site_support`."""
        return site_support(self.config)

    def details(self) -> dict[str, Any]:
        """Sizes and choices that only native models tell."""
        config, stack = self.config, list(self.config.stacks.values())[-1]
        return {
            "head_width": config.head_width(stack),
            "feedforward_width": stack.feedforward_width,
            "experts": stack.experts.count if stack.experts else 0,
            "position_encoding": config.position_encoding,
            "norm": f"{config.norm}, {config.norm_placement}{', parallel' if config.parallel else ''}",
            "activation": f"{config.activation}{', gated' if config.gated else ''}",
        }

    def load(self, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Transformer:
        """The model with its weights, in eval mode, laid out as they are stored. Reads the files.

        Raises: CheckpointError if two tied tensors or a repeated constant disagree, or a weight is not finite.
        """
        with _collection_paused():
            with torch.device("meta"):
                model = build(self.config)
            self.refuse_disagreement()
            with one_thread():
                parameters = assemble(self._stored_entries(), dtype, lambda name, value: laid_out(value))
            model.load_state_dict(parameters, strict=True, assign=True)
            return model.to(device).requires_grad_(False).eval()

    def _stored_entries(self) -> Iterator[tuple[Entry, Tensor]]:
        """Each entry with what is stored; the next one is read meanwhile."""
        reads = (partial(self._read_finite, entry) for entry in self.entries)
        return zip(self.entries, one_ahead(reads), strict=True)

    def _read_finite(self, entry: Entry) -> Tensor:
        stored = self.weights.tensors[self.stored_names[entry.name]]

        def refuse_broken(piece: Tensor) -> None:
            # One number tells for nearly all; a sum of finite weights may also overflow.
            if not piece.sum().isfinite() and not piece.isfinite().all():
                raise CheckpointError(
                    f"{stored.name} holds values that are not finite (NaN or infinity); the file is broken."
                )

        return stored.read(refuse_broken)

    def refuse_disagreement(self) -> None:
        """Reads what is stored twice. Raises: CheckpointError if two tied tensors or a repeated constant disagree."""
        family = FAMILIES[self.family]
        for alias, first in family.aliases(self.config).items():
            names = [self.stored_names[name] for name in (alias, first) if name in self.stored_names]
            tied = dict(self.weights.read(names if len(set(names)) == 2 else []))
            if tied and not torch.equal(*tied.values()):
                raise CheckpointError(f"{alias} differs from {first}, though config.json ties them.")
        for name, stored in self.stored_names.items():
            constant = family.constant(name, self.config)
            if constant is None:
                continue
            _, tensor = next(self.weights.read([stored]))
            if tensor.shape != constant.shape or (tensor.float() - constant).abs().max() > CONSTANT_TOLERANCE:
                raise CheckpointError(f"{name} is not the table that this family computes.")


@contextmanager
def _collection_paused() -> Iterator[None]:
    """While much is made that stays: to look for what may go then walks through all of torch, in 0.13 s."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_config_file(path: Path) -> dict[str, Any]:
    """The `config.json` of a checkpoint's folder, not yet judged. Raises: CheckpointError."""
    if not path.is_dir():
        raise CheckpointError(f"{path.name!r} is not a folder; give the folder that holds config.json.")
    return read_json_object(inner_file(path, CONFIG_FILE), CONFIG_LIMIT_BYTES)


def open_checkpoint(path: Path) -> Checkpoint:
    """Recognises and checks a checkpoint folder in Hugging Face's layout, without reading its weights.

    Raises: CheckpointError with one sentence that says what is wrong.
    """
    values = read_config_file(path)
    model_type = _recognise(values)
    family, weights = FAMILIES[model_type], open_weights(path)
    stored_names = _canonical_names(family, weights)
    shapes = {name: weights.tensors[stored].shape for name, stored in stored_names.items()}
    try:
        config = family.read_config(values, shapes)
    except CheckpointError:
        raise
    except ValueError as error:
        raise CheckpointError(f"config.json: {error}") from error
    unused = _place(family, config, weights, stored_names)
    return Checkpoint(path, model_type, config, weights, stored_names, unused)


def _recognise(values: dict[str, Any]) -> str:
    """The `model_type`, one of those that FAMILIES reads."""
    model_type = values.get("model_type")
    if model_type is None:
        raise CheckpointError('config.json has no model_type; it should name the family, as in "gpt2".')
    if not isinstance(model_type, str) or model_type not in FAMILIES:
        raise CheckpointError(
            f"config.json: the family {str(model_type)[:40]!r} is not supported yet; known are {', '.join(FAMILIES)}."
        )
    return model_type


def _canonical_names(family: Family, weights: Weights) -> dict[str, str]:
    """The names that the tensors are stored under, by the family's spelling."""
    stored_names: dict[str, str] = {}
    for stored in weights.tensors:
        name = family.canonical(stored)
        if name in stored_names:
            raise CheckpointError(f"{name} is stored twice, as {stored_names[name]} and as {stored}.")
        stored_names[name] = stored
    return stored_names


def _place(family: Family, config: ModelConfig, weights: Weights, stored_names: dict[str, str]) -> list[str]:
    """Checks that every tensor that the configuration asks for is stored; a tied one under any of its names.

    Returns the names of what the model has no use for.
    """
    aliases = family.aliases(config)
    for alias, first in aliases.items():
        if first not in stored_names and alias in stored_names:
            stored_names[first] = stored_names[alias]
    entries = {entry.name: entry for entry in family.entries(config)}
    shapes = {name: entry.shape for name, entry in entries.items()}
    shapes |= {alias: shapes[first] for alias, first in aliases.items() if alias in stored_names}
    for name, shape in shapes.items():
        if name not in stored_names:
            raise CheckpointError(f"{name} is missing from the weights, though config.json asks for it.")
        tensor = weights.tensors[stored_names[name]]
        if tensor.shape != shape:
            raise CheckpointError(
                f"{name} has the shape {list(tensor.shape)}, where config.json asks for {list(shape)}."
            )
        if tensor.dtype not in WEIGHT_DTYPES:
            raise CheckpointError(f"{name} has the dtype {tensor.dtype}; weights are F64, F32, F16 or BF16.")
    return sorted(
        stored
        for name, stored in stored_names.items()
        if name not in shapes and not family.is_ignored(name) and family.constant(name, config) is None
    )
