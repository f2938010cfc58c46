"""The address of each place where a model attends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

StackName = Literal["encoder", "decoder"]
SiteKind = Literal["self", "cross"]

STACK_NAMES: tuple[StackName, ...] = get_args(StackName)


@dataclass(frozen=True, order=True)
class AttentionSite:
    """Where attention happens: a stack, self or cross, and a layer counted from 0."""

    stack: StackName
    kind: SiteKind
    layer: int

    def __str__(self) -> str:
        return f"{self.stack}.{self.kind}.{self.layer}"

    @classmethod
    def parse(cls, text: str) -> AttentionSite:
        """The inverse of `str`: "decoder.cross.1".

        Raises: ValueError with a sentence that shows a valid address.
        """
        stack, _, rest = text.partition(".")
        kind, _, layer = rest.partition(".")
        known = stack in get_args(StackName) and kind in get_args(SiteKind)
        if not known or (stack, kind) == ("encoder", "cross") or not (layer.isascii() and layer.isdigit()):
            raise ValueError(f"{text[:60]!r} is no attention site; write one as decoder.self.3 or encoder.self.0.")
        return cls(cast(StackName, stack), cast(SiteKind, kind), int(layer))
