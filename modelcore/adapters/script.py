"""What a rehearsal reads: a short text, two of different lengths, or a picture of noise."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from modelcore.adapters import config as adapted
from modelcore.adapters.plan import SOURCE_LENGTH, TARGET_LENGTH
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import ImageConfig
from modelcore.config.model import Architecture


@dataclass(frozen=True)
class Script:
    """What a rehearsal reads. `lengths`: of its sequences of tokens; none where patches are not counted yet."""

    architecture: Architecture
    inputs: dict[str, Tensor]
    lengths: tuple[int, ...]
    image: ImageConfig | None = None


def script_for(model: Any) -> Script:
    """Something small for this model to read. Raises: CheckpointError if it reads neither texts nor pictures."""
    parameters = inspect.signature(model.forward).parameters
    named = model.main_input_name
    main = named if isinstance(named, str) else ", ".join(named)
    if main == "pixel_values" and "decoder_input_ids" not in parameters:
        image = adapted.image(model.config)
        if image is None:
            raise CheckpointError("config.json tells no image_size and patch_size, of which a picture's grid follows.")
        pixels = torch.randn(1, image.channels, image.height, image.width, generator=torch.Generator().manual_seed(0))
        return Script("vision", {"pixel_values": pixels.to(model.dtype)}, (), image)
    if main != "input_ids" or "input_ids" not in parameters:
        read = next(iter(parameters)) if main == "input_ids" else main
        raise CheckpointError(f"This model reads {read[:40]}; only texts and pictures can be shown.")
    source = _ids(model, SOURCE_LENGTH)
    if model.config.is_encoder_decoder and "decoder_input_ids" in parameters:
        target = source[:, :TARGET_LENGTH].flip(-1)
        inputs = {"input_ids": source, "decoder_input_ids": target}
        return Script("encoder-decoder", inputs, (SOURCE_LENGTH, TARGET_LENGTH))
    return Script("decoder", {"input_ids": source}, (SOURCE_LENGTH,))


def _ids(model: Any, count: int) -> Tensor:
    """Ids of plain tokens, [1, count]: none that a configuration names for a purpose."""
    special = set(_named_ids(model.config.to_dict()))
    plain = [id_ for id_ in range(1, vocabulary_of(model)) if id_ not in special][:count]
    if len(plain) < count:
        raise CheckpointError("config.json: the vocabulary has too few plain tokens to read anything.")
    return torch.tensor([plain])


def _named_ids(values: dict[Any, Any]) -> Iterator[int]:
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _named_ids(value)
        elif str(key).endswith(("_token_id", "_token_index", "_id")):
            yield from [id_ for id_ in (value if isinstance(value, list) else [value]) if isinstance(id_, int)]


def vocabulary_of(model: Any) -> int:
    """How many tokens a model knows by its embedding, or by its configuration."""
    try:
        return int(model.get_input_embeddings().weight.shape[0])
    except (AttributeError, NotImplementedError):
        known = adapted.size(model.config.get_text_config(), "vocab_size")
        if known is None:
            raise CheckpointError("config.json does not tell how many tokens there are (vocab_size).") from None
        return known
