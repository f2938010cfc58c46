"""How a family's file spells our parameters: one `Entry` a stored tensor, usable in both directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from modelcore.config import ModelConfig


@dataclass(frozen=True)
class Entry:
    """One tensor of the file and the parameters of ours that it holds.

    Several parameters lie one after the other along the output. `transposed` means stored as
    (input, output), where ours are (output, input). `row` is a leading axis of length one.
    """

    name: str
    shape: tuple[int, ...]
    parameters: tuple[str, ...]
    transposed: bool = False
    row: bool = False

    def unpack(self, stored: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Our parameters out of a stored tensor; views where the layout allows it."""
        tensor = stored[0] if self.row else stored
        pieces = tensor.chunk(len(self.parameters), dim=1 if self.transposed else 0)
        for name, piece in zip(self.parameters, pieces, strict=True):
            yield name, (piece.t() if self.transposed else piece).contiguous()

    def pack(self, parameters: Mapping[str, Tensor]) -> Tensor:
        """The stored tensor made from our parameters."""
        tensor = torch.cat([parameters[name] for name in self.parameters])
        if self.transposed:
            tensor = tensor.t()
        return (tensor[None] if self.row else tensor).contiguous()


def linear_entries(
    theirs: str, ours: tuple[str, ...], inputs: int, outputs: int, *, transposed: bool = False
) -> list[Entry]:
    """Weight and bias of a linear layer; several of ours lie side by side in one of theirs."""
    shape = (inputs, outputs) if transposed else (outputs, inputs)
    weights = tuple(f"{name}.weight" for name in ours)
    biases = tuple(f"{name}.bias" for name in ours)
    return [Entry(f"{theirs}.weight", shape, weights, transposed), Entry(f"{theirs}.bias", (outputs,), biases)]


def norm_entries(theirs: str, ours: str, width: int) -> list[Entry]:
    """Weight and bias of a LayerNorm."""
    return [Entry(f"{theirs}.{part}", (width,), (f"{ours}.{part}",)) for part in ("weight", "bias")]


@dataclass(frozen=True)
class Family:
    """What one family's checkpoints look like.

    `aliases` maps a tied tensor's second name to its first; a file may hold either or both, equal.
    `is_ignored` tells stored tensors that no forward pass reads, `constant` gives the value of those
    that we compute ourselves and a file may repeat; `canonical` adds an optional prefix where a file left it out.
    """

    name: str
    read_config: Callable[[Mapping[str, Any]], ModelConfig]
    write_config: Callable[[ModelConfig], dict[str, Any]]
    entries: Callable[[ModelConfig], list[Entry]]
    aliases: Mapping[str, str] = field(default_factory=dict)
    is_ignored: Callable[[str], bool] = lambda name: False
    constant: Callable[[str, ModelConfig], Tensor | None] = lambda name, config: None
    canonical: Callable[[str], str] = lambda name: name
