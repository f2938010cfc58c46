"""What all assignments have in common."""

from __future__ import annotations

import random
from typing import Any, Protocol

from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import ModelConfig
from modelcore.tokenizer import Tokenizer

HELD_OUT = 256
"""Examples that accuracy is measured on."""


class Assignment(Protocol):
    """Nothing here remembers a step: a batch follows from the plan's seed and its number alone, so that a training
    that was cut off goes on with the batches that it would have had.

    `family` is the layout in which its model is saved; `probe` the text or the picture that shows what heads do.
    """

    config: ModelConfig
    family: str
    probe: TraceRequest

    @property
    def tokenizer(self) -> Tokenizer | None:
        """None where pictures are read."""
        ...

    def batch(self, step: int) -> Any: ...

    def loss(self, model: Any, batch: Any) -> Tensor:
        """A scalar, in nats a token."""
        ...

    def measure(self, model: Any) -> dict[str, float]:
        """By name, on examples that are never trained on; the model is in eval mode."""
        ...

    def tokens_of(self, batch: Any) -> int:
        """How many tokens a batch has, padding included."""
        ...


def random_of(seed: int, step: int | str) -> random.Random:
    """The randomness of one step, or of another purpose."""
    return random.Random(f"{seed} {step}")
