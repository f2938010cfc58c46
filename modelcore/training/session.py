"""A training run that can be cut off at any moment and gone on with: its model, its optimiser, its place."""

from __future__ import annotations

import math
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from modelcore.analysis.trace import SiteTraced, TokensRead, trace
from modelcore.checkpoints.writer import save_checkpoint, with_temporary
from modelcore.models.build import build
from modelcore.models.decoder import Decoder
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.models.stack import Stack
from modelcore.tokenizer import Tokenizer
from modelcore.training.architecture import changed, family_for
from modelcore.training.assignments import Assignment, Given, assignment_of
from modelcore.training.assignments.pairs import PairAssignment
from modelcore.training.assignments.pictures import PictureAssignment
from modelcore.training.assignments.starting import Start, open_start, tokenizer_taken
from modelcore.training.brought import Brought
from modelcore.training.leaning import lean
from modelcore.training.loop import Optimisation, StepDone, Trainer
from modelcore.training.matmul import DEFAULT, settle_matmul
from modelcore.training.parallel import ALONE, Alone
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.precision import LEAST_SCALE, PRODUCTS, compile_feedforward, refuse_precision
from modelcore.training.samples import Sample, sample
from modelcore.training.translation import translate

LAST = "last.pt"
# Vaswani et al. 2017, 5.3.
EPSILON = 1e-9


class DivergedError(ArithmeticError):
    """The loss is no number any more. `step` is where it happened; what was saved before is kept."""

    def __init__(self, step: int) -> None:
        super().__init__(f"The loss of step {step:,} is no number.")
        self.step = step


class Session:
    """One plan on its way. The files of `folder` say how far it got; without any it begins.

    A step's batch and its dropout follow from the seed and its number, so that a session which goes on from a
    checkpoint does what it would have done.
    """

    def __init__(self, plan: TrainingPlan, folder: Path, brought: Brought | None = None, group: Alone = ALONE) -> None:
        """Raises: PlanError where the plan cannot be trained, or is not the one that the folder holds."""
        self.plan, self._folder, self._group = plan, folder, group
        brought, state = brought or Brought(), self._stored()
        self._start = open_start(plan, brought.start)
        self.assignment = self._assignment(brought, state)
        torch.manual_seed(plan.seed)
        self.model = build(self.assignment.config)
        self._begin_weights(state)
        refuse_precision(plan.precision, group.device)
        if group.sharded and plan.precision == "fp16":
            raise PlanError("precision", "Sharded processes do not see one another's overflows; take bf16 or float32.")
        self._matmul = settle_matmul(state["matmul"] if state else None)
        if plan.compile:
            compile_feedforward(self.model)
        for stack in (module for module in self.model.modules() if isinstance(module, Stack)):
            stack.recomputes = plan.recompute
        optimisation = Optimisation(
            betas=(plan.beta1, plan.beta2),
            epsilon=EPSILON,
            weight_decay=plan.weight_decay,
            gradient_norm=plan.clip or math.inf,
            product_dtype=PRODUCTS[plan.precision],
        )
        self._trainer = Trainer(self.model, self.assignment.loss, self._rate, optimisation, group)
        self.rate_factor = 1.0
        self.step = self._gathered = 0
        self._kept: list[dict[str, Tensor]] = []
        if state:
            self._restore(state)

    @property
    def parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.model.parameters())

    @property
    def is_done(self) -> bool:
        return self.step >= self.plan.steps

    def advance(self) -> tuple[StepDone, int]:
        """One step more, and how many tokens it had. Raises: DivergedError, GroupError."""
        with self._group.watched():
            self._group.order("advance", self.rate_factor)
            return self._advance()

    def follow(self) -> None:
        """What all processes of a group but the first do: its orders, until the end. Raises: as `advance` does."""
        with self._group.watched():
            while True:
                match self._group.heard():
                    case "advance", self.rate_factor:
                        self._advance()
                    case "weights", _:
                        self._trainer.gather()
                    case "state", _:
                        self._trainer.state()
                    case "end", _:
                        return

    def wait(self) -> None:
        """Keeps the others of the group from giving up while nothing is done. Raises: GroupError."""
        with self._group.watched():
            self._group.order("wait")

    def close(self) -> None:
        """Lets the others of the group end."""
        with self._group.watched():
            self._group.order("end")

    def _advance(self) -> tuple[StepDone, int]:
        step = self.step + 1
        of_process = f" {self._group.rank}" if self._group.rank else ""
        torch.manual_seed(zlib.crc32(f"{self.plan.seed} {step}{of_process}".encode()))
        count = self.plan.accumulate
        batches = [self.assignment.batch((step - 1) * count + one + 1) for one in range(count)]
        done = self._trainer.step(step, *batches)
        vanished = done.skipped and self._trainer.scale < LEAST_SCALE
        if vanished or not (math.isfinite(done.loss) and math.isfinite(done.gradient_norm)):
            raise DivergedError(step)
        self.step = step
        self._average()
        return done, sum(map(self.assignment.tokens_of, batches))

    @torch.inference_mode()
    def measure(self) -> dict[str, float]:
        """Held-out metrics, by name."""
        self._gather()
        self.model.eval()
        try:
            return self.assignment.measure(self.model)
        finally:
            self.model.train()

    def probe(self) -> tuple[list[TokensRead], list[SiteTraced]]:
        """The probe text, and what every head does with it now."""
        self._gather()
        self.model.eval()
        try:
            told = list(trace(self.model, self.assignment.probe, self.assignment.tokenizer))
        finally:
            self.model.train()
        return _of(told, TokensRead), _of(told, SiteTraced)

    def sample(self) -> Sample | None:
        """A few words of the model as it is now; None of a kind that writes none."""
        self._gather()
        self.model.eval()
        try:
            return sample(self.model, self.assignment)
        finally:
            self.model.train()

    def translate(self, each: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Beam search on held-out pairs, and BLEU; nothing of a model that translates nothing."""
        if not (isinstance(self.model, EncoderDecoder) and isinstance(self.assignment, PairAssignment)):
            return {}
        self._gather()
        self.model.eval()
        try:
            return translate(self.model, self.assignment.tokenizer, self.assignment.held_out, each)[0]
        finally:
            self.model.train()

    def save(self) -> None:
        """What is needed to go on, whole or not at all. Raises: OSError where the disk is full."""
        self._gather()
        with self._group.watched():
            self._group.order("state")
            optimiser = self._trainer.state()
        state = {
            "plan": self.plan.to_json(),
            "step": self.step,
            "rate_factor": self.rate_factor,
            "model": self.model.state_dict(),
            "optimiser": optimiser,
            "kept": self._kept,
            # Another route rounds otherwise.
            "matmul": self._matmul,
            # Some kinds are not learned the same a second time.
            "tokenizer": self.assignment.tokenizer.to_json() if self.assignment.tokenizer else None,
        }
        self._folder.mkdir(parents=True, exist_ok=True)
        with_temporary(self._folder / LAST, lambda path: _write(state, path))

    def export(self, folder: Path) -> None:
        """The weights in Hugging Face's layout, or in ours where no family of theirs can say what they compute."""
        family = family_for(self.assignment.config, self.assignment.family)
        self._gather()
        self.model.eval()
        try:
            own = None if self._start else self.assignment.tokenizer
            save_checkpoint(folder, self.model, family, own)
        finally:
            self.model.train()
        if self._start:
            self._start.copy_tokenizer(folder)
        if isinstance(self.assignment, PictureAssignment):
            self.assignment.write_beside(folder)

    def _assignment(self, brought: Brought, state: dict[str, Any] | None) -> Assignment:
        """With the tokens of the checkpoint, or of the first process: some kinds of tokens are learned in no order."""
        tokenizer = _tokenizer(self.plan, self._start, brought, state)
        if self._group.rank:
            told = self._group.from_first(None)
            tokenizer = Tokenizer.from_json(told) if told and self._start is None else tokenizer
        given = Given(tokenizer=tokenizer, start=self._start, pictures=brought.pictures)
        assignment = assignment_of(self.plan, given)
        if not self._group.rank:
            self._group.from_first(assignment.tokenizer.to_json() if assignment.tokenizer else None)
        if self._start is None:
            assignment.config = changed(assignment.config, self.plan)
        return assignment

    def _begin_weights(self, state: dict[str, Any] | None) -> None:
        """Those of the checkpoint, of the one that it starts from, or random ones, which may lean."""
        if state:
            self.model.load_state_dict(state["model"])
        elif self._start:
            new = isinstance(self.assignment, PictureAssignment) and self.assignment.has_new_classifier
            self._start.give_weights(self.model, keeps_head=not new)
        elif self.plan.leaning and isinstance(self.model, Decoder):
            lean(self.model)

    def _gather(self) -> None:
        """The weights as they are now into `model`; the processes ask one another where they lie apart."""
        if self._gathered != self.step:
            with self._group.watched():
                self._group.order("weights")
                self._trainer.gather()
            self._gathered = self.step

    def _rate(self, step: int) -> float:
        return self.plan.rate(step) * self.rate_factor

    def _average(self) -> None:
        """Keeps the weights of the last checkpoints; at the end, the model's become their mean with its own."""
        plan = self.plan
        if plan.average > 1 and (self.is_done or self.step % plan.checkpoint_every == 0):
            self._trainer.gather()
            self._gathered = self.step
            weights = {name: tensor.detach().clone() for name, tensor in self.model.state_dict().items()}
            self._kept = [*self._kept, weights][-plan.average :]
            if self.is_done:
                mean = {name: torch.stack([kept[name] for kept in self._kept]).mean(0) for name in weights}
                self.model.load_state_dict(mean)

    def _stored(self) -> dict[str, Any] | None:
        """Raises: PlanError where the folder is another plan's."""
        if not (self._folder / LAST).exists():
            return None
        # What the first checkpoints did not hold yet stands first.
        state: dict[str, Any] = {"plan": {}, "kept": [], "tokenizer": None, "matmul": DEFAULT}
        state |= torch.load(self._folder / LAST, map_location="cpu", weights_only=True)
        _refuse_other_plan(self.plan.to_json(), state["plan"])
        return state

    def _restore(self, state: dict[str, Any]) -> None:
        self._trainer.restore(state["optimiser"])
        self.step = self._gathered = state["step"]
        self.rate_factor, self._kept = state["rate_factor"], state["kept"]


def _tokenizer(
    plan: TrainingPlan, start: Start | None, brought: Brought, state: dict[str, Any] | None
) -> Tokenizer | None:
    """That of the checkpoint it starts from, the one that it had before, or the one that it takes; None: its own."""
    if start is not None:
        return start.checkpoint.tokenizer
    if state and state["tokenizer"]:
        return Tokenizer.from_json(state["tokenizer"])
    return tokenizer_taken(plan, brought.tokenizer_from)


def _refuse_other_plan(plan: dict[str, Any], begun: dict[str, Any]) -> None:
    for field in plan:
        if field in begun and plan[field] != begun[field]:
            told = "" if field == "text" else f": {begun[field]}, not {plan[field]}"
            raise PlanError(
                field, f"Another plan was begun here, with another {field}{told}. Go on with that one, or elsewhere."
            )


def _write(state: dict[str, Any], path: Path) -> None:
    with open(path, "wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())


def _of(told: list[Any], kind: type[Any]) -> list[Any]:
    return [one for one in told if isinstance(one, kind)]
