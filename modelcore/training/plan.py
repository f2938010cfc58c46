"""What a training run is to be, in full: the same plan on the same device gives the same curve."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from modelcore.tokenizer import TokenizerKind
from modelcore.training.schedules import Schedule, constant, noam, warmup_cosine

AssignmentName = Literal[
    "copy",
    "reverse",
    "sort",
    "induction",
    "brackets",
    "repeats",
    "modular",
    "dates",
    "numbers",
    "text",
    "masked",
    "pairs",
]
ScheduleName = Literal["cosine", "noam", "constant"]
Precision = Literal["float32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
ASSIGNMENTS: tuple[AssignmentName, ...] = get_args(AssignmentName)
LINES: frozenset[str] = frozenset({"copy", "reverse", "sort", "induction", "brackets", "repeats"})
PAIRED: frozenset[str] = frozenset({"dates", "numbers", "pairs"})
"""Those that an encoder-decoder learns; "masked" is an encoder's, the others a decoder's."""
OF_A_TEXT: frozenset[str] = frozenset({"text", "masked", "pairs"})
"""Those that learn a text of the user's, cut into tokens as the plan says."""
TOKENIZERS: tuple[TokenizerKind, ...] = get_args(TokenizerKind)


class PlanError(ValueError):
    """This cannot be trained as it is planned; the message says why, and what is allowed."""

    def __init__(self, field: str, message: str, limit: float | None = None) -> None:
        super().__init__(message)
        self.field, self.message, self.limit = field, message, limit


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What is learned, by which model, how, and how often it is looked at.

    batch       sequences of which a gradient is taken at once
    accumulate  such batches in one step, each of the same weight
    clip        the longest that a step's gradient may be, longer ones are shortened to it; 0 leaves all as they are
    average     how many checkpoints' weights, the end's among them, the model is the mean of when it is done
                (Vaswani et al. 2017, 6.1)
    tokenizer   of a text of the user's (`modelcore.tokenizer.learning`); the other tasks have their own
    warmup      steps of a linear rise of the learning rate; "noam" has the paper's rise and fall, and
                `learning_rate` is then the factor of it (Vaswani et al. 2017, 5.3)
    precision   what matrix products are rounded to (`modelcore.training.precision`)
    recompute   each layer's activations are computed again for its gradient, not kept: of nanoGPT's character model
                39 MB in place of 475, for 1.35 times the time
    compile     feed-forward layers are compiled by torch first, which takes a minute and a C++ compiler
    every       steps between two looks: held-out metrics, maps of the probe text, a checkpoint
    """

    assignment: AssignmentName
    text: str | None = None
    layers: int = 2
    heads: int = 4
    width: int = 64
    dropout: float = 0.0
    label_smoothing: float = 0.0
    steps: int = 1000
    batch: int = 32
    accumulate: int = 1
    length: int = 32
    learning_rate: float = 2e-3
    schedule: ScheduleName = "cosine"
    warmup: int = 100
    weight_decay: float = 0.01
    clip: float = 1.0
    average: int = 1
    tokenizer: TokenizerKind = "bpe"
    vocabulary: int = 512
    precision: Precision = "float32"
    recompute: bool = False
    compile: bool = False
    seed: int = 0
    evaluate_every: int = 100
    snapshot_every: int = 50
    checkpoint_every: int = 200

    def __post_init__(self) -> None:
        """Raises: PlanError for the first field that does not fit."""
        if self.assignment not in ASSIGNMENTS:
            raise PlanError("assignment", f"There is no task of this name; choose from {', '.join(ASSIGNMENTS)}.")
        for name, (least, most) in LIMITS_OF_WHOLE.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
                raise PlanError(name, f"{name} is a whole number from {least:,} to {most:,}.", most)
        for name, (low, high) in LIMITS_OF_REAL.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
                raise PlanError(name, f"{name} is a number from {low:g} to {high:g}.", high)
        if self.width % self.heads:
            raise PlanError("heads", f"{self.heads} heads do not divide a width of {self.width}.")
        if self.schedule not in get_args(ScheduleName):
            raise PlanError("schedule", f"schedule is one of {', '.join(get_args(ScheduleName))}.")
        if self.tokenizer not in TOKENIZERS:
            raise PlanError("tokenizer", f"tokenizer is one of {', '.join(TOKENIZERS)}.")
        if self.precision not in PRECISIONS:
            raise PlanError("precision", f"precision is one of {', '.join(PRECISIONS)}.")
        for name in ("recompute", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise PlanError(name, f"{name} is true or false.")
        learns_text = self.assignment in OF_A_TEXT
        if learns_text != (self.text is not None):
            raise PlanError(
                "text", "text, masked and pairs learn a text of yours: give one. The others make their own."
            )
        if not learns_text and self.tokenizer != "bpe":
            raise PlanError("tokenizer", "This task has a tokenizer of its own; text, masked and pairs let you choose.")
        if learns_text:
            _refuse_no_text(self.text)

    @property
    def rate(self) -> Schedule:
        match self.schedule:
            case "noam":
                return noam(self.width, self.warmup, self.learning_rate)
            case "constant":
                return constant(self.learning_rate, self.warmup)
            case _:
                return warmup_cosine(self.learning_rate, self.warmup, self.steps, floor=0.02)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plan: dict[str, Any]) -> TrainingPlan:
        """Raises: PlanError, also for a field that there is not."""
        unknown = plan.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise PlanError(min(unknown), f"A plan has no field {min(unknown)[:40]!r}.")
        return cls(**plan)


def _refuse_no_text(text: object) -> None:
    if not isinstance(text, str) or not text.strip():
        raise PlanError("text", "The text is empty; give one to learn from.")
    for number, line in enumerate(text.split("\n"), 1):
        # What a reader puts in place of bytes that are not UTF-8, and what is left where half a character was cut.
        if "\ufffd" in line or any("\ud800" <= character <= "\udfff" for character in line):
            raise PlanError("text", f"Line {number:,} holds bytes that are no text; save the file as UTF-8.")


LIMITS_OF_WHOLE = {
    "layers": (1, 24),
    "heads": (1, 32),
    "width": (16, 1024),
    "steps": (1, 1_000_000),
    "batch": (1, 1024),
    "accumulate": (1, 64),
    "average": (1, 20),
    "length": (8, 1024),
    "warmup": (1, 100_000),
    "vocabulary": (257, 50_000),
    "seed": (0, 2**31 - 1),
    "evaluate_every": (1, 1_000_000),
    "snapshot_every": (1, 1_000_000),
    "checkpoint_every": (1, 1_000_000),
}
LIMITS_OF_REAL = {
    "dropout": (0.0, 0.9),
    "label_smoothing": (0.0, 0.9),
    "learning_rate": (1e-7, 10.0),
    "weight_decay": (0.0, 1.0),
    "clip": (0.0, 1000.0),
}
