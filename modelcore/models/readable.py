"""What every model that can be read with has, ours or adapted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from modelcore.config import ModelShape
from modelcore.models.stack import Layerwise


class Readable(Protocol):
    """A model whose inputs are the sequences of its stacks in order: a text, source and target, or pixels."""

    @property
    def config(self) -> ModelShape: ...

    @property
    def layerwise(self) -> Callable[..., Layerwise[Tensor]]:
        """Takes the inputs and `modelcore.layers.context.Instruments`; pauses at least once, after layers."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]: ...


@runtime_checkable
class Unembeds(Protocol):
    """A model that is not ours, and knows the way from the stream that its last layer leaves to what it says."""

    def unembed(self, x_RW: Tensor) -> Tensor: ...
