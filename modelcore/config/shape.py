"""What a caller must know of a model to feed it, whether it is ours or adapted."""

from __future__ import annotations

from typing import Protocol

from modelcore.config.choices import Output
from modelcore.config.model import Architecture, ImageConfig
from modelcore.config.site import AttentionSite


class ModelShape(Protocol):
    """The part of `ModelConfig` that every model has; its fields' meanings stand there."""

    @property
    def architecture(self) -> Architecture: ...
    @property
    def vocabulary(self) -> int: ...
    @property
    def positions(self) -> int: ...
    @property
    def longest(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def token_types(self) -> int | None:
        """None where it is not known how the model is told two texts apart."""
        ...

    @property
    def image(self) -> ImageConfig | None: ...
    @property
    def output(self) -> Output: ...
    @property
    def start_token(self) -> int | None: ...
    @property
    def end_token(self) -> int | None: ...
    @property
    def pad_token(self) -> int | None: ...

    def sites(self) -> list[AttentionSite]: ...
