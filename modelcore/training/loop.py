"""The training loop: a generator of steps. Whoever runs it decides what to print, store and stop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from modelcore.training.parallel import ALONE, Alone, shard_like, whole
from modelcore.training.schedules import Schedule

Model = TypeVar("Model", bound=nn.Module)
Batch = TypeVar("Batch")

# From the model and a batch to the loss, a scalar, in nats a token.
Objective = Callable[[Model, Batch], Tensor]


@dataclass(frozen=True)
class Optimisation:
    """AdamW's settings. Source: Loshchilov and Hutter 2019; decay touches matrices only."""

    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-9
    weight_decay: float = 0.1
    # The longest that a gradient may be; infinite, it stays as it is.
    gradient_norm: float = 1.0
    # Below float32, matrix products are rounded to it; weights, gradients and the loss stay float32.
    product_dtype: torch.dtype = torch.float32


@dataclass(frozen=True)
class StepDone:
    """One optimiser step; the loss is that of its batch, before the step.

    Where fp16's gradients overflowed the step was `skipped`: weights stay, and the norm, which is no number, is told
    as 0.
    """

    step: int
    loss: float
    learning_rate: float
    gradient_norm: float
    elapsed_s: float
    skipped: bool = False


class Trainer(Generic[Model, Batch]):
    """A model on its way: one optimiser step at a time, each on a batch that the caller chooses.

    Of a `group` of processes each has a trainer, is given the same batches and takes its part of them. The model stays
    in train mode; `state` and `restore` carry what the optimiser remembers from one process to another.
    """

    def __init__(
        self,
        model: Model,
        objective: Objective[Model, Batch],
        schedule: Schedule,
        optimisation: Optimisation = Optimisation(),
        group: Alone = ALONE,
    ) -> None:
        model.train()
        self.model, self.schedule = model, schedule
        self._objective, self._optimisation, self._group = objective, optimisation, group
        self._steps_with: Any = group.wrapped(model)
        self._optimiser = _optimiser(self._steps_with, optimisation)
        self._parameters = list(self._steps_with.parameters())
        device = self._parameters[0].device.type
        self._scaler = torch.amp.GradScaler(device, enabled=optimisation.product_dtype == torch.float16)
        self._started = time.monotonic()

    def step(self, step: int, *batches: Batch) -> StepDone:
        """Step `step`, counted from 1, whose learning rate the schedule tells; its loss is the mean of the batches'."""
        settings = self._optimisation
        rate = self.schedule(step)
        for parameters in self._optimiser.param_groups:
            parameters["lr"] = rate
        rounds = settings.product_dtype != torch.float32
        group, count = self._group, len(batches)
        total = 0.0
        for number, batch in enumerate(batches, 1):
            part, share = group.part(batch)
            group.exchanges(self._steps_with, number == count)
            with torch.autocast(self._parameters[0].device.type, settings.product_dtype, enabled=rounds):
                loss = self._objective(self._steps_with, part)
            # Processes take the mean of their gradients.
            self._scaler.scale(loss * (share * group.size / count)).backward()
            total += share * loss.item()
        self._scaler.unscale_(self._optimiser)
        norm = whole(torch.nn.utils.clip_grad_norm_(self._parameters, settings.gradient_norm)).item()
        skipped = self._scaler.is_enabled() and not math.isfinite(norm)
        self._scaler.step(self._optimiser)
        self._scaler.update()
        self._optimiser.zero_grad(set_to_none=True)
        elapsed_s = time.monotonic() - self._started
        return StepDone(step, group.total(total) / count, rate, 0.0 if skipped else norm, elapsed_s, skipped)

    @property
    def scale(self) -> float:
        """What gradients are multiplied by until they are taken; 1 but in fp16."""
        return self._scaler.get_scale()

    @torch.no_grad()
    def gather(self) -> None:
        """Brings the weights that steps are made with into `model`, where they lie elsewhere. All processes call it."""
        wrapped = self._steps_with
        if wrapped is self.model or getattr(wrapped, "module", None) is self.model:
            return
        theirs = getattr(wrapped, "module", wrapped).state_dict()
        for name, tensor in self.model.state_dict().items():
            tensor.copy_(whole(theirs[name]))

    def state(self) -> dict[str, Any]:
        """All processes call it."""
        optimiser = self._optimiser.state_dict()
        of_each = optimiser["state"].items()
        moments = {number: {name: whole(tensor) for name, tensor in told.items()} for number, told in of_each}
        return optimiser | {"state": moments, "scaler": self._scaler.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """What `state` told, of however many processes. The model has its weights already."""
        parameters = [parameter for group in self._optimiser.param_groups for parameter in group["params"]]
        moments = {
            number: {name: shard_like(tensor, parameters[number]) for name, tensor in told.items()}
            for number, told in state["state"].items()
        }
        self._optimiser.load_state_dict({"state": moments, "param_groups": state["param_groups"]})
        if state.get("scaler"):
            self._scaler.load_state_dict(state["scaler"])


def train(
    model: Model,
    batches: Iterable[Batch],
    objective: Objective[Model, Batch],
    schedule: Schedule,
    steps: int,
    optimisation: Optimisation = Optimisation(),
) -> Iterator[StepDone]:
    """Trains in place, pausing after every step. The model is in train mode while the generator lives."""
    trainer = Trainer(model, objective, schedule, optimisation)
    for step, batch in zip(range(1, steps + 1), batches, strict=False):
        yield trainer.step(step, batch)
    model.eval()


def _optimiser(model: nn.Module, settings: Optimisation) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in model.parameters() if parameter.dim() >= 2]
    vectors = [parameter for parameter in model.parameters() if parameter.dim() < 2]
    groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=settings.betas, eps=settings.epsilon, fused=True)
