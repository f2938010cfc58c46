"""Puts stored tensors into a model of transformers, and refuses where it would make some up.

Checkpoints are loaded by transformers itself, which renames and joins tensors as an architecture needs it.
What it does is first tried with outlines: tensors that have a shape and no memory, and of which only outlines
can be made. A parameter that is no outline afterwards was not read but drawn at random.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.tensor_file import DTYPES
from modelcore.checkpoints.weights import Weights

# How many numbers more than are stored a model may ask for before it is built at all, and how many a model may
# compute for itself (tables of positions, masks).
UNSTORED_LIMIT = 1 << 28


def require_room(kind: Any, config: Any, weights: Weights) -> None:
    """Builds the model without memory. Raises: CheckpointError if it cannot be, or is far larger than the files."""
    try:
        with torch.device("meta"):
            model = kind(config)
    except Exception as error:  # whatever a configuration without sense makes transformers do
        raise CheckpointError(f"config.json: no {kind.__name__} can be built from it: {first_line(error)}") from error
    stored = sum(math.prod(tensor.shape) for tensor in weights.tensors.values())
    asked = sum(parameter.numel() for parameter in model.parameters())
    computed = sum(buffer.numel() for buffer in model.buffers())
    if asked > stored + UNSTORED_LIMIT or computed > stored + UNSTORED_LIMIT:
        raise CheckpointError(f"config.json asks for {max(asked, computed):,} numbers; the files hold {stored:,}.")


def filled(kind: Any, config: Any, tensors: dict[str, Tensor], dtype: torch.dtype) -> tuple[Any, list[str]]:
    """The model with the tensors in it, under eager attention, and the names of those that it has no use for.

    Raises: CheckpointError naming a tensor that is missing or has another shape.
    """
    config._experts_implementation = "eager"
    try:
        model, told = kind.from_pretrained(
            None,
            config=config,
            state_dict=tensors,
            dtype=dtype,
            attn_implementation="eager",
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            local_files_only=True,
            trust_remote_code=False,
        )
    except Exception as error:
        raise CheckpointError(f"{kind.__name__} cannot take these weights: {first_line(error)}") from error
    if told["missing_keys"]:
        raise CheckpointError(_missing(min(told["missing_keys"])))
    for name, stored, asked in sorted(told["mismatched_keys"]):
        raise CheckpointError(f"{name} has the shape {list(stored)}, where config.json asks for {list(asked)}.")
    if told["error_msgs"]:
        raise CheckpointError(f"{kind.__name__} cannot take these weights: {told['error_msgs'][0][:200]}")
    return model.requires_grad_(False).eval(), sorted(told["unexpected_keys"])


class Outline(torch.Tensor):
    """A tensor without memory that says it is on the CPU. Every operation on it gives outlines of the right shape."""

    @staticmethod
    def __new__(cls, like: Tensor) -> Outline:
        return torch.Tensor._make_wrapper_subclass(cls, like.shape, strides=like.stride(), dtype=like.dtype)

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        elsewhere = {name: value for name, value in (kwargs or {}).items() if name != "device"}
        result = func(*tree_map(_on_meta, args), **tree_map(_on_meta, elsewhere))
        return tree_map(lambda made: cls(made) if isinstance(made, Tensor) else made, result)


def _on_meta(given: Any) -> Any:
    """A tensor as torch's own tensor without memory; anything else as it is."""
    if not isinstance(given, Tensor):
        return given
    return torch.empty_strided(given.shape, given.stride(), dtype=given.dtype, device="meta")


def outlines(weights: Weights) -> dict[str, Tensor]:
    """An outline of each stored tensor, all that are no integers in float32."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.tensors.items():
        stored = DTYPES[tensor.dtype]
        dtype = torch.float32 if stored.is_floating_point else stored
        found[name] = Outline(torch.empty(tensor.shape, dtype=dtype, device="meta"))
    return found


def require_all_read(model: Any) -> None:
    """Raises: CheckpointError naming a parameter of a model of `outlines` that did not come from a file.

    A table that transformers never stores, such as sinusoids, it computes.
    """
    computed = set(model._keys_to_ignore_on_save or ())
    for name, parameter in model.named_parameters():
        if name not in computed and not isinstance(parameter, Outline):
            raise CheckpointError(_missing(name))


def fill_at_random(model: nn.Module, seed: int = 0) -> None:
    """Puts numbers in the place of outlines with which a forward pass makes maps that are not flat.

    Element (i, j, …) of a tensor lies at i + j + …, so that few numbers are enough for a large model.
    """
    generator = torch.Generator().manual_seed(seed)
    made: dict[int, Tensor] = {}
    for module in model.modules():
        stores: list[dict[str, Any]] = [module._parameters, module._buffers]
        for held in stores:
            for name, outline in held.items():
                if isinstance(outline, Outline):
                    held[name] = made.setdefault(id(outline), _random(outline, generator))


def _random(outline: Outline, generator: torch.Generator) -> Tensor:
    if outline.is_floating_point():
        numbers = torch.randn(max(1, sum(outline.shape) - outline.dim() + 1), generator=generator)
        numbers = numbers * 0.1 + 1 if outline.dim() < 2 else numbers * outline.shape[-1] ** -0.5
        numbers = numbers.as_strided(outline.shape, (1,) * outline.dim())
    else:
        numbers = torch.zeros((), dtype=outline.dtype).expand(outline.shape)
    return nn.Parameter(numbers, requires_grad=False) if isinstance(outline, nn.Parameter) else numbers


def _missing(name: str) -> str:
    return f"{name} is missing from the weights, though config.json asks for it."


def first_line(error: Exception) -> str:
    """What a foreign error says, short enough for a person."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
