"""Opens a checkpoint of an architecture that has no family of ours, through transformers; or refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modelcore.adapters.config import AdaptedConfig
from modelcore.adapters.interface import NAME
from modelcore.adapters.library import config_class, library, model_class, reserved_names
from modelcore.adapters.loading import fill_at_random, filled, first_line, outlines, require_all_read, require_room
from modelcore.adapters.model import AdaptedModel
from modelcore.adapters.rehearsal import Shown, agree, rehearse, switch
from modelcore.adapters.values import cleaned
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.tokenizer_files import read_tokenizer
from modelcore.checkpoints.weights import Weights, open_weights
from modelcore.tokenizer import Tokenizer


@dataclass(frozen=True)
class AdaptedCheckpoint:
    """A checked checkpoint, run by transformers, whose weights have not been read yet.

    `parameters` counts the numbers that the model learned, tied ones once.
    """

    path: Path
    family: str
    weights: Weights
    unused: list[str]
    parameters: int
    shown: Shown
    kind: Any
    library_config: Any
    limited: bool = False

    @property
    def config(self) -> AdaptedConfig:
        return self.shown.config

    @property
    def size_bytes(self) -> int:
        return self.weights.size_bytes

    def support(self) -> list[dict[str, Any]]:
        """What can be seen of each site: its address, heads, key heads, which keys it sees, how its map is had."""
        return self.shown.support

    def details(self) -> dict[str, Any]:
        """That transformers runs this model, and why nothing is shown of some of its parts."""
        return {"run_by": f"transformers {library().__version__}", "not_shown": self.shown.not_shown}

    @cached_property
    def tokenizer(self) -> Tokenizer | None:
        """None where the folder holds none. Raises: CheckpointError if it cannot be read."""
        return read_tokenizer(self.path, limited=self.limited)

    def refuse_disagreement(self) -> None:
        """Transformers ties what it ties, whatever is stored."""

    def load(self, device: str = "cpu", dtype: torch.dtype = torch.float32) -> AdaptedModel:
        """The model with its weights, in eval mode. Reads the files, and reads something small to be sure.

        Raises: CheckpointError if a weight is not finite, or our attention gives another result with these weights
            than the model's own.
        """
        used = [name for name in self.weights.tensors if name not in set(self.unused)]
        model, _ = filled(self.kind, self.library_config, dict(self._finite(used)), dtype)
        model = model.to(device)
        if self.shown.plan is not None:
            agree(model)
            switch(model, NAME)
        return AdaptedModel(model, self.config, self.shown.plan)

    def _finite(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self.weights.read(names):
            if tensor.is_floating_point() and not tensor.isfinite().all():
                raise CheckpointError(f"{name} holds values that are not finite (NaN or infinity); the file is broken.")
            yield name, tensor


def open_adapted(path: Path, values: dict[str, Any]) -> AdaptedCheckpoint:
    """Checks a checkpoint whose config.json holds `values`, without reading its weights.

    The model is built and run once, on weights made up for the purpose: what it shows then is what it promises.
    Raises: CheckpointError with one sentence that says what is wrong.
    """
    library()
    model_type = values.get("model_type")
    settings, weights = cleaned(values, reserved_names()), open_weights(path)
    try:
        library_config = config_class(model_type).from_dict(settings)
        for part in (library_config, library_config.get_text_config()):
            part.use_cache = False
    except CheckpointError:
        raise
    except Exception as error:  # each configuration class checks its values in its own way
        raise CheckpointError(f"config.json: transformers cannot take it: {first_line(error)}") from error
    kind = model_class(str(model_type), values.get("architectures"))
    require_room(kind, library_config, weights)
    model, unused = filled(kind, library_config, outlines(weights), torch.float32)
    require_all_read(model)
    fill_at_random(model)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    shown = rehearse(model)
    return AdaptedCheckpoint(path, str(model_type), weights, unused, parameters, shown, kind, library_config)
