"""What a plan will cost, before anybody tried: parameters, memory, computing, disk, time, energy.

Arithmetic on the plan's plain values: the site, which has no torch, imports it too. Estimates all: how long texts are
and how fast a machine is are guesses, and a tokenizer may need fewer tokens than it may have.
"""

# V vocabulary, W width, N tokens of a sequence

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

FLOAT_BYTES = 4
# Before any plan, torch and what is loaded with it hold about so much.
PROGRAM_BYTES = 350_000_000
# AdamW keeps two numbers for each weight.
MOMENTS = 2
# FLOPs of a parameter and a token, forward and backward: Kaplan et al. 2020 (arXiv 2001.08361), 2.1.
FLOPS_PER_PARAMETER = 6
# A third of a step is its forward pass, which is then made twice.
RECOMPUTED = 4 / 3
# Small products reach such a share of the rate of large ones, and each site costs so long however small it is: seen in
# training with widths of 32 to 128 on two cores.
EFFICIENCY = 0.45
SITE_S = 2e-3
# The free part of a disk or of a memory that a plan may take.
USABLE = 0.9

LINE_VOCABULARY, MODULAR_VOCABULARY = 257, 99
# Tokens of a source and its target together, as a batch has them with its padding.
PAIR_TOKENS = {"dates": 22, "numbers": 26}
MADE_PAIR_POSITIONS = 64
PAIRED = frozenset({"dates", "numbers", "pairs", "spans", "catalogs", "words"})
OF_A_TEXT = frozenset({"text", "masked"})
CUT_BY_CHOICE = frozenset({"text", "masked", "spans", "pairs", "catalogs", "words"})
# Of pictures: patches and the class token, and the numbers of one patch, 2 x 2 grey or 4 x 4 in three colours.
PICTURE_TOKENS = {"digits": 17, "images": 65}
PATCH_NUMBERS = {"digits": 4, "images": 48}
CLASSES = 10
HELD_OUT_SHARE = 0.1


@dataclass(frozen=True)
class Machine:
    """What a worker that trains says of itself; None where it is not known."""

    flops_per_s: float | None = None
    memory_bytes: int | None = None
    disk_free_bytes: int | None = None
    watts: float | None = None


@dataclass(frozen=True)
class Costs:
    """Bytes, FLOPs, seconds and watt-hours; time and energy None where no machine's rate is known."""

    parameters: int
    tokens_per_step: int
    flops: float
    weights_bytes: int
    gradients_bytes: int
    optimiser_bytes: int
    activations_bytes: int
    memory_bytes: int
    disk_bytes: int
    seconds: float | None
    watt_hours: float | None


@dataclass(frozen=True)
class Misfit:
    """What does not fit: the field to change, the number that does not fit, and the one that would."""

    field: str
    message: str
    needed: int
    limit: int


def costs(plan: dict[str, Any], machine: Machine = Machine()) -> Costs:
    """The estimate of a plan whose fields are within their limits."""
    shape = _Shape(plan)
    parameters, tokens = shape.parameters, shape.tokens_per_step
    weights = FLOAT_BYTES * parameters
    activations = FLOAT_BYTES * shape.floats_per_token * tokens // plan["accumulate"]
    flops_per_step: float = (FLOPS_PER_PARAMETER * parameters + shape.map_flops_per_token) * tokens
    if plan.get("recompute"):
        flops_per_step *= RECOMPUTED
    flops = float(flops_per_step * plan["steps"])
    seconds = None
    if machine.flops_per_s:
        step_s = flops_per_step / (EFFICIENCY * machine.flops_per_s) + SITE_S * shape.sites * plan["accumulate"]
        seconds = step_s * plan["steps"]
    # A checkpoint is written aside before it takes the last one's place; averaging keeps weights of its own.
    checkpoint = (1 + MOMENTS) * weights + (plan["average"] if plan["average"] > 1 else 0) * weights
    memory = (2 + MOMENTS) * weights + activations + (plan["average"] - 1) * weights
    return Costs(
        parameters=parameters,
        tokens_per_step=tokens,
        flops=flops,
        weights_bytes=weights,
        gradients_bytes=weights,
        optimiser_bytes=MOMENTS * weights,
        activations_bytes=activations,
        memory_bytes=PROGRAM_BYTES + memory,
        disk_bytes=2 * checkpoint + weights,
        seconds=seconds,
        watt_hours=None if seconds is None or machine.watts is None else seconds * machine.watts / 3600,
    )


def misfit(plan: dict[str, Any], machine: Machine) -> Misfit | None:
    """The first thing for which there is no room, None where the plan fits or nothing is known of the machine."""
    told = costs(plan, machine)
    if plan["assignment"] in OF_A_TEXT and plan.get("text") and plan.get("tokenizer_from") is None:
        # A token is a byte at least.
        found, needed = len(plan["text"].encode()), math.ceil((plan["length"] - 1) / HELD_OUT_SHARE)
        if found < needed:
            words = (
                f"The text has {found:,} bytes; a length of {plan['length']:,} needs at least {needed:,} tokens of it."
            )
            return Misfit("length", f"{words} Give a longer text or a smaller length.", needed, found)
    if machine.memory_bytes is not None and told.memory_bytes > USABLE * machine.memory_bytes:
        limit = int(USABLE * machine.memory_bytes)
        of_model = told.memory_bytes - told.activations_bytes
        field = "batch" if of_model <= limit and told.activations_bytes > told.weights_bytes else "width"
        return Misfit(
            field,
            f"This needs about {_gigabytes(told.memory_bytes)} of memory, {_gigabytes(told.activations_bytes)} of it "
            f"for a batch's activations; the trainer has {_gigabytes(limit)} to give. Make the {field} smaller.",
            told.memory_bytes,
            limit,
        )
    if machine.disk_free_bytes is not None and told.disk_bytes > USABLE * machine.disk_free_bytes:
        limit = int(USABLE * machine.disk_free_bytes)
        return Misfit(
            "width",
            f"Its checkpoints need about {_gigabytes(told.disk_bytes)} of disk; {_gigabytes(limit)} can be had. "
            "Make the model smaller, or free some space.",
            told.disk_bytes,
            limit,
        )
    return None


class _Shape:
    """The sizes of the model that a plan's task builds (`modelcore.training.assignments`, `.architecture`)."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan, self.assignment = plan, plan["assignment"]
        self.width, self.layers, self.heads = plan["width"], plan["layers"], plan["heads"]
        self.key_width = plan.get("key_width") or self.width // self.heads
        self.inner = self.heads * self.key_width
        self.paired = self.assignment in PAIRED
        self.masked = self.assignment == "masked"
        self.positions = plan.get("positions") or ("sinusoidal" if self.paired else "learned")
        own_order = "post" if self.paired or self.masked else "pre"
        self.order = plan.get("norm_order") or own_order
        self.score = plan.get("score", "scaled_dot")
        self.vocabulary = {"modular": MODULAR_VOCABULARY}.get(self.assignment, LINE_VOCABULARY)
        if self.paired or self.assignment in OF_A_TEXT:
            self.vocabulary = plan["vocabulary"]
        if self.assignment in PATCH_NUMBERS:
            # A patch's numbers are multiplied with a table, as a token's row is taken from one; classes are few.
            self.vocabulary = PATCH_NUMBERS[self.assignment] + CLASSES
        own = {"modular": 4, **PICTURE_TOKENS}
        self.length = own.get(self.assignment, plan["length"])
        self.stacks = 2 if self.paired else 1

    @property
    def sites(self) -> int:
        return self.layers * (3 if self.paired else 1)

    @property
    def tokens_per_step(self) -> int:
        per_sequence = PAIR_TOKENS.get(self.assignment, 2 * self.length if self.paired else self.length)
        tokens: int = self.plan["batch"] * per_sequence
        return (self.plan.get("batch_tokens") or tokens) * self.plan["accumulate"]

    @property
    def parameters(self) -> int:
        w = self.width
        tables = self.vocabulary * w + self.stacks * self._positions()
        norms = self.stacks * 2 * w if self.order != "post" else 0
        blocks = self.stacks * self.layers * (self._attention(crosses=False) + self._feedforward() + 2 * self._norms())
        if self.paired:
            blocks += self.layers * (self._attention(crosses=True) + self._norms()) + self.vocabulary
        if self.masked:
            # Its head transforms first and adds a bias; its embeddings have two kinds of segment, and a norm.
            tables += w * w + w + 2 * w + self.vocabulary + 2 * w + 2 * w
        return int(tables + norms + blocks)

    def _positions(self) -> int:
        rows = MADE_PAIR_POSITIONS if self.assignment in PAIR_TOKENS else self.length
        if self.positions == "learned":
            return rows * self.width
        return 32 * self.heads if self.positions == "t5" else 0

    def _attention(self, *, crosses: bool) -> int:
        w, inner = self.width, self.inner
        count = 3 * (w * inner + inner) + inner * w + w
        if self.score == "multiplicative":
            count += inner * self.key_width
        if self.score == "additive":
            count += inner
        if self.positions == "relative_keys" and not crosses:
            count += (2 * 16 + 1) * self.key_width
        return int(count)

    def _feedforward(self) -> int:
        return int(8 * self.width**2 + 5 * self.width)

    def _norms(self) -> int:
        return int((2 if self.order == "sandwich" else 1) * 2 * self.width)

    @property
    def map_flops_per_token(self) -> int:
        """Scores and their products with values, forward and backward; they have no parameters."""
        return 12 * self.sites * self.inner * self._seen // self.stacks

    @property
    def floats_per_token(self) -> int:
        """What a token leaves for the backward pass: each sublayer's input, its norm's, its products', the logits."""
        w, inner = self.width, self.inner
        attention = 3 * w + 4 * inner + self.heads
        # The paper's ReLU leaves its result alone, GELU what it was given as well.
        feedforward = 3 * w + (4 if self.paired else 8) * w
        if self.plan["dropout"]:
            attention, feedforward = attention + w, feedforward + w
        per_layer = attention + feedforward
        if self.paired:
            per_layer += attention // 2
        kept = per_layer + self.layers * w if self.plan.get("recompute") else self.layers * per_layer
        return int(kept + 2 * w + self.vocabulary // self.stacks)

    @property
    def _seen(self) -> int:
        return int(PAIR_TOKENS.get(self.assignment, 2 * self.length) // 2 if self.paired else self.length)


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.0f} MB"
