"""How a family's file spells our parameters: one `Entry` a stored tensor, usable in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from modelcore.config import ModelConfig

Shape = tuple[int, ...]


class Layout(Protocol):
    """How several parameters of ours lie in one stored tensor, output first."""

    def split(self, stored: Tensor, parts: int) -> tuple[Tensor, ...]:
        """Our parameters, in order; views where the layout allows it."""

    def join(self, parts: list[Tensor], shape: Shape) -> Tensor:
        """The stored tensor, of this shape."""


@dataclass(frozen=True)
class SideBySide:
    """One after the other along the output; of equal size where `sizes` is not given."""

    sizes: tuple[int, ...] = ()

    def split(self, stored: Tensor, parts: int) -> tuple[Tensor, ...]:
        return stored.split(list(self.sizes)) if self.sizes else stored.chunk(parts)

    def join(self, parts: list[Tensor], shape: Shape) -> Tensor:
        return torch.cat(parts)


@dataclass(frozen=True)
class Interleaved:
    """Head by head: [heads, parts, head width, …], as GPT-NeoX and BLOOM keep queries, keys and values."""

    heads: int

    def split(self, stored: Tensor, parts: int) -> tuple[Tensor, ...]:
        by_head = stored.reshape(self.heads, parts, -1, *stored.shape[1:])
        return tuple(part.reshape(-1, *stored.shape[1:]) for part in by_head.unbind(1))

    def join(self, parts: list[Tensor], shape: Shape) -> Tensor:
        by_head = [part.reshape(self.heads, -1, *part.shape[1:]) for part in parts]
        return torch.stack(by_head, dim=1).reshape(shape)


@dataclass(frozen=True)
class Reshaped:
    """One parameter, stored under another shape: with a leading axis of one, say."""

    ours: Shape

    def split(self, stored: Tensor, parts: int) -> tuple[Tensor, ...]:
        return (stored.reshape(self.ours),)

    def join(self, parts: list[Tensor], shape: Shape) -> Tensor:
        return parts[0].reshape(shape)


@dataclass(frozen=True)
class Slot:
    """A place along the leading axis of our parameter, which many stored tensors fill: one expert's matrix."""

    index: int
    count: int


@dataclass(frozen=True)
class Entry:
    """One tensor of the file and the parameters of ours that it holds.

    `transposed` means stored as (input, output), where ours are (output, input); `layout` then speaks of
    the transposed tensor. With `slot` the tensor holds that slice of each parameter.
    """

    name: str
    shape: Shape
    parameters: tuple[str, ...]
    layout: Layout = SideBySide()
    transposed: bool = False
    slot: Slot | None = None

    def unpack(self, stored: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Our parameters, or the slices of them, out of a stored tensor; views where the layout allows it."""
        pieces = self.layout.split(stored.t() if self.transposed else stored, len(self.parameters))
        yield from zip(self.parameters, pieces, strict=True)

    def pack(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """The stored tensor made from our parameters."""
        parts = [parameters[name] for name in self.parameters]
        if self.slot is not None:
            parts = [part[self.slot.index] for part in parts]
        tensor = self.layout.join(parts, self.shape[::-1] if self.transposed else self.shape)
        return (tensor.t() if self.transposed else tensor).contiguous()


def assemble(
    stored: Iterable[tuple[Entry, Tensor]],
    dtype: torch.dtype,
    finish: Callable[[str, Tensor], Tensor] = lambda name, value: value.contiguous(),
) -> dict[str, Tensor]:
    """Our parameters by name, out of all tensors of a file; those that fill slots are copied into place.

    `finish` lays out each of the others before the next tensor is read: memory holds one of them twice.
    """
    parameters: dict[str, Tensor] = {}
    for entry, tensor in stored:
        for name, value in entry.unpack(tensor):
            if entry.slot is None:
                parameters[name] = finish(name, value.to(dtype))
                continue
            if name not in parameters:
                parameters[name] = torch.empty(entry.slot.count, *value.shape, dtype=dtype)
            parameters[name][entry.slot.index] = value
    return parameters


def linear_entries(
    theirs: str,
    ours: tuple[str, ...],
    inputs: int,
    outputs: int,
    *,
    bias: bool = True,
    layout: Layout = SideBySide(),
    transposed: bool = False,
) -> list[Entry]:
    """Weight and bias of a linear layer; several of ours lie in one of theirs as `layout` says."""
    shape = (inputs, outputs) if transposed else (outputs, inputs)
    weight = Entry(f"{theirs}.weight", shape, tuple(f"{name}.weight" for name in ours), layout, transposed)
    if not bias:
        return [weight]
    return [weight, Entry(f"{theirs}.bias", (outputs,), tuple(f"{name}.bias" for name in ours), layout)]


def norm_entries(theirs: str, ours: str, width: int, *, bias: bool = True) -> list[Entry]:
    """Weight and bias of a LayerNorm; the weight alone, of an RMSNorm."""
    parts = ("weight", "bias") if bias else ("weight",)
    return [Entry(f"{theirs}.{part}", (width,), (f"{ours}.{part}",)) for part in parts]


@dataclass(frozen=True)
class Family:
    """What the checkpoints look like that share one name table.

    model_types  the values of `model_type` in config.json that are read
    read_config  from config.json and the shapes of the stored tensors by canonical name; the shapes tell
                 which head there is where config.json does not
    write_config chooses model_type and architectures by what the configuration says
    aliases      a tied tensor's second name to its first; a file may hold either or both, equal
    is_ignored   stored tensors that no forward pass reads
    constant     the value of those that we compute ourselves and a file may repeat
    canonical    adds an optional prefix where a file left it out, and tells old spellings anew
    """

    model_types: tuple[str, ...]
    read_config: Callable[[Mapping[str, Any], Mapping[str, Shape]], ModelConfig]
    write_config: Callable[[ModelConfig], dict[str, Any]]
    entries: Callable[[ModelConfig], list[Entry]]
    aliases: Callable[[ModelConfig], Mapping[str, str]] = lambda config: {}
    is_ignored: Callable[[str], bool] = lambda name: False
    constant: Callable[[str, ModelConfig], Tensor | None] = lambda name, config: None
    canonical: Callable[[str], str] = lambda name: name
