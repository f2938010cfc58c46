"""A text of the user's own, learned token by token: causal language modelling."""

# B batch, N tokens of a window

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.request import TraceRequest
from modelcore.config import ModelConfig, StackConfig
from modelcore.models.decoder import Decoder
from modelcore.tokenizer import GPT2_END_OF_TEXT, Specials
from modelcore.training.assignments.assignment import random_of
from modelcore.training.assignments.cutting import known_and_held_out, learned
from modelcore.training.assignments.starting import Given
from modelcore.training.plan import TrainingPlan

SPECIALS = Specials((GPT2_END_OF_TEXT, "<unk>"), unknown="<unk>")
HELD_OUT_WINDOWS = 32


class TextAssignment:
    """A decoder on random windows of the text; its last tenth is held out."""

    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        self._plan = plan
        text = plan.text or ""
        self.tokenizer = given.tokenizer or learned(plan, [text], SPECIALS)
        known, held_out = known_and_held_out(self.tokenizer.encode(text).ids, plan.length + 1)
        self._known_N, self._held_out_N = torch.tensor(known), torch.tensor(held_out)
        self.family = given.start.family if given.start else "gpt2"
        self.config = (
            given.start.config
            if given.start
            else ModelConfig(
                vocabulary=self.tokenizer.vocabulary,
                positions=plan.length,
                width=plan.width,
                decoder=StackConfig(plan.layers, plan.heads, 4 * plan.width),
                dropout=plan.dropout,
                end_token=self.tokenizer.token_id(GPT2_END_OF_TEXT),
            )
        )
        self.probe = TraceRequest(ids=held_out[: plan.length])

    def batch(self, step: int) -> Tensor:
        """(B, N + 1): each window with the token after it."""
        generator = random_of(self._plan.seed, step)
        return self._windows([generator.randrange(self._room(self._known_N)) for _ in range(self._plan.batch)])

    def loss(self, model: Decoder, ids_BN: Tensor) -> Tensor:
        return _next_token_loss(model, ids_BN, self._plan.label_smoothing if model.training else 0.0)

    def measure(self, model: Decoder) -> dict[str, float]:
        room = self._room(self._held_out_N)
        count = min(HELD_OUT_WINDOWS, room)
        starts = [room * window // count for window in range(count)]
        loss = _next_token_loss(model, self._windows(starts, self._held_out_N), 0.0).item()
        return {"loss": loss, "perplexity": math.exp(min(loss, 80))}

    def tokens_of(self, batch: Tensor) -> int:
        return batch.shape[0] * (batch.shape[1] - 1)

    def _room(self, ids_N: Tensor) -> int:
        return len(ids_N) - self._plan.length

    def _windows(self, starts: list[int], ids_N: Tensor | None = None) -> Tensor:
        of_N = self._known_N if ids_N is None else ids_N
        return torch.stack([of_N[start : start + self._plan.length + 1] for start in starts])


def _next_token_loss(model: Decoder, ids_BN: Tensor, smoothing: float) -> Tensor:
    logits_BNV = model(ids_BN[:, :-1])
    return F.cross_entropy(logits_BNV.flatten(0, 1), ids_BN[:, 1:].flatten(), label_smoothing=smoothing)
