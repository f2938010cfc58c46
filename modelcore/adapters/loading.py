"""Puts stored tensors into a model of transformers, and refuses where it would make some up.

Checkpoints are loaded by transformers itself, which renames and joins tensors as an architecture needs it.
What it did is seen from hollow tensors: of the right shape, nearly without memory, and all NaN. A parameter
that is not NaN afterwards was not read but drawn at random.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.stored import DTYPES
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


def hollow(weights: Weights) -> dict[str, Tensor]:
    """A tensor of NaN for each stored one: element (i, j, …) lies at i + j + …, so that few numbers suffice."""
    tensors = {}
    for name, tensor in weights.tensors.items():
        if DTYPES[tensor.dtype].is_floating_point:
            numbers = torch.full((max(1, sum(tensor.shape) - len(tensor.shape) + 1),), torch.nan)
            tensors[name] = numbers.as_strided(tensor.shape, (1,) * len(tensor.shape))
        else:
            tensors[name] = torch.zeros((), dtype=DTYPES[tensor.dtype]).expand(tensor.shape)
    return tensors


def require_all_read(model: Any) -> None:
    """Raises: CheckpointError naming a parameter of a model filled with `hollow` that did not come from a file.

    A table that transformers never stores, such as sinusoids, it computes; a padding token's row it sets to 0.
    """
    computed = set(model._keys_to_ignore_on_save or ())
    for name, _, numbers in _numbers(model):
        if name not in computed and numbers.numel() and not numbers.isnan().any():
            raise CheckpointError(_missing(name))


def fill_at_random(model: nn.Module, seed: int = 0) -> None:
    """Gives what is hollow in a model numbers with which a forward pass makes maps that are not flat."""
    generator = torch.Generator().manual_seed(seed)
    for _, parameter, numbers in _numbers(model):
        if not numbers.isnan().any():
            continue
        numbers.normal_(generator=generator)
        if parameter.dim() < 2:
            numbers.mul_(0.1).add_(1)
        else:
            numbers.mul_(parameter.shape[-1] ** -0.5)


def _numbers(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, Tensor]]:
    """Each parameter, and all the numbers of its memory in a row."""
    for name, parameter in model.named_parameters():
        count = parameter.untyped_storage().nbytes() // parameter.element_size()
        yield name, parameter, parameter.data.as_strided((count,), (1,), 0)


def _missing(name: str) -> str:
    return f"{name} is missing from the weights, though config.json asks for it."


def first_line(error: Exception) -> str:
    """What a foreign error says, short enough for a person."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
