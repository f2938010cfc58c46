"""Addition modulo a prime: a table of which a part is held out, so that learning by heart does not help.

Held-out accuracy jumps long after the known part is learned ("grokking", Power et al. 2022, 2201.02177).
"""

# B batch, N tokens of an equation, V vocabulary

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import ModelConfig, StackConfig
from modelcore.models.decoder import Decoder
from modelcore.tokenizer import words_tokenizer
from modelcore.training.assignments.assignment import random_of
from modelcore.training.plan import TrainingPlan

PRIME = 97
PLUS, EQUALS = PRIME, PRIME + 1
# The known part is measured on as many equations as this; the held-out part whole.
MEASURED = 1024


class Equations(NamedTuple):
    """a + b = as ids, (B, 4), and the sums modulo PRIME, (B,)."""

    ids_BN: Tensor
    sums_B: Tensor


class ModularAssignment:
    """A decoder that reads "a + b =" and is trained on what follows."""

    family = "gpt2"

    def __init__(self, plan: TrainingPlan) -> None:
        self._plan = plan
        self.tokenizer = words_tokenizer([*map(str, range(PRIME)), "+", "="])
        self.config = ModelConfig(
            vocabulary=PRIME + 2,
            positions=4,
            width=plan.width,
            decoder=StackConfig(plan.layers, plan.heads, 4 * plan.width),
            dropout=plan.dropout,
        )
        table = [(a, b) for a in range(PRIME) for b in range(PRIME)]
        random_of(plan.seed, "table").shuffle(table)
        cut = int(len(table) * plan.known_share)
        self._known, self._held_out = _equations(table[:cut]), _equations(table[cut:])
        a, b = table[cut]
        self.probe = TraceRequest(text=f"{a} + {b} =")

    def batch(self, step: int) -> Equations:
        generator = random_of(self._plan.seed, step)
        return _rows(self._known, [generator.randrange(len(self._known.sums_B)) for _ in range(self._plan.batch)])

    def loss(self, model: Decoder, batch: Equations) -> Tensor:
        smoothing = self._plan.label_smoothing if model.training else 0.0
        return F.cross_entropy(model(batch.ids_BN)[:, -1], batch.sums_B, label_smoothing=smoothing)

    def measure(self, model: Decoder) -> dict[str, float]:
        known = _rows(self._known, range(min(MEASURED, len(self._known.sums_B))))
        logits_BV = model(self._held_out.ids_BN)[:, -1]
        return {
            "loss": F.cross_entropy(logits_BV, self._held_out.sums_B).item(),
            "accuracy": _accuracy(logits_BV, self._held_out),
            "known_accuracy": _accuracy(model(known.ids_BN)[:, -1], known),
        }

    def tokens_of(self, batch: Equations) -> int:
        return batch.ids_BN.numel()


def _equations(pairs: list[tuple[int, int]]) -> Equations:
    ids_BN = torch.tensor([[a, PLUS, b, EQUALS] for a, b in pairs])
    return Equations(ids_BN, (ids_BN[:, 0] + ids_BN[:, 2]) % PRIME)


def _rows(of: Equations, places: list[int] | range) -> Equations:
    chosen = list(places)
    return Equations(of.ids_BN[chosen], of.sums_B[chosen])


def _accuracy(logits_BV: Tensor, of: Equations) -> float:
    return (logits_BV.argmax(-1) == of.sums_B).float().mean().item()
