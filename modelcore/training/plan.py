"""What a training run is to be, in full: the same plan on the same device gives the same curve."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from modelcore.config import NormPlacement, PositionEncoding, ScoreFunction
from modelcore.tokenizer import TokenizerKind
from modelcore.training.schedules import Schedule, constant, noam, warmup_cosine, warmup_linear

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
    "spans",
    "pairs",
    "catalogs",
    "words",
    "digits",
    "images",
]
ScheduleName = Literal["cosine", "noam", "linear", "constant"]
LanguagesName = Literal["de-en", "en-de", "fr-en", "en-fr"]
Precision = Literal["float32", "bf16", "fp16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
ASSIGNMENTS: tuple[AssignmentName, ...] = get_args(AssignmentName)
LINES: frozenset[str] = frozenset({"copy", "reverse", "sort", "induction", "brackets", "repeats"})
PAIRED: frozenset[str] = frozenset({"dates", "numbers", "spans", "pairs", "catalogs", "words"})
"""Those that an encoder-decoder learns; "masked" is an encoder's, the others a decoder's."""
OF_PICTURES: frozenset[str] = frozenset({"digits", "images"})
"""Those that a vision Transformer learns."""
OF_A_TEXT: frozenset[str] = frozenset({"text", "masked", "spans", "pairs"})
"""Those that learn a text of the user's."""
CUT_BY_CHOICE: frozenset[str] = OF_A_TEXT | {"catalogs", "words"}
"""Those whose text is cut into tokens as the plan says."""
STARTED: frozenset[str] = CUT_BY_CHOICE | OF_PICTURES | {"dates", "numbers"}
"""Those that a checkpoint may go on to learn (`modelcore.training.assignments.starting`)."""
OF_A_START: frozenset[str] = frozenset({"layers", "heads", "width", "vocabulary"})
"""Fields that are the checkpoint's where a plan starts from one; their values here are not read."""
PLAIN_ARCHITECTURE = {"key_width": None, "positions": None, "norm_order": None, "score": "scaled_dot"}
"""Fields of the architecture, as a plan that says nothing of it has them."""
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
    text        what text, masked, spans and pairs learn; of images a zip of folders is named by `pictures`
    languages   of catalogs: from which into which
    start       the checkpoint that it starts from: its weights, its sizes, its tokenizer. On the site a model's id, on
                the command line its folder, as `tokenizer_from` and `pictures` are; `Brought` says where they lie
    leaning     a decoder starts with heads that lean to the tokens before (`modelcore.training.leaning`)
    tokenizer   that is learned first (`modelcore.tokenizer.learning`), where the task has none of its own and
                `tokenizer_from` names no checkpoint whose tokenizer is taken
    batch_tokens  where not 0, of paired tasks: a batch is as many pairs of about one length as have so many tokens
                together, source, target and padding (Vaswani et al. 2017, 5.1)
    beta1, beta2  of AdamW; without weight decay it is Adam
    key_width   of one head's queries, keys and values; else heads share the width between them
    positions, norm_order  what the task has of its own, where they are None (`modelcore.training.architecture`)
    known_share  of modular's table, what is trained on; the rest is held out
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
    pictures: str | None = None
    languages: LanguagesName = "de-en"
    start: str | None = None
    layers: int = 2
    heads: int = 4
    width: int = 64
    leaning: bool = False
    key_width: int | None = None
    positions: PositionEncoding | None = None
    norm_order: NormPlacement | None = None
    score: ScoreFunction = "scaled_dot"
    dropout: float = 0.0
    label_smoothing: float = 0.0
    steps: int = 1000
    batch: int = 32
    batch_tokens: int = 0
    accumulate: int = 1
    length: int = 32
    learning_rate: float = 2e-3
    schedule: ScheduleName = "cosine"
    warmup: int = 100
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.98
    clip: float = 1.0
    average: int = 1
    tokenizer: TokenizerKind = "bpe"
    tokenizer_from: str | None = None
    vocabulary: int = 512
    known_share: float = 0.5
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
        asked = LIMITS_OF_WHOLE.keys() - (OF_A_START if self.start is not None else frozenset())
        for name, (least, most) in LIMITS_OF_WHOLE.items():
            value = getattr(self, name)
            if name in asked and (not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most):
                raise PlanError(name, f"{name} is a whole number from {least:,} to {most:,}.", most)
        for name, (low, high) in LIMITS_OF_REAL.items():
            value = getattr(self, name)
            if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
                raise PlanError(name, f"{name} is a number from {low:g} to {high:g}.", high)
        self._refuse_architecture()
        self._refuse_what_the_task_has_no_use_for()
        for name in ("recompute", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise PlanError(name, f"{name} is true or false.")
        if self.assignment in OF_A_TEXT:
            _refuse_no_text(self.text)

    def _refuse_what_the_task_has_no_use_for(self) -> None:
        if (self.assignment in OF_A_TEXT) != (self.text is not None):
            raise PlanError(
                "text", "text, masked, spans and pairs learn a text of yours: give one. The others learn without."
            )
        if (self.assignment == "images") != (self.pictures is not None):
            raise PlanError("pictures", "images learns a zip of yours: give one. The others learn without.")
        if self.start is not None and self.assignment not in STARTED:
            raise PlanError(
                "start", f"{self.assignment} is learned from nothing. Fine-tune on {', '.join(sorted(STARTED))}."
            )
        if self.tokenizer_from is not None and self.start is not None:
            raise PlanError("tokenizer_from", "A model that is fine-tuned keeps its own tokenizer; choose none.")
        for name in ("tokenizer", "tokenizer_from"):
            if self.assignment not in CUT_BY_CHOICE and getattr(self, name) not in ("bpe", None):
                raise PlanError(
                    name,
                    f"This task has a tokenizer of its own; {', '.join(sorted(CUT_BY_CHOICE))} let you choose.",
                )
        if not isinstance(self.leaning, bool):
            raise PlanError("leaning", "leaning is true or false.")
        if self.leaning and (self.assignment not in LINES | {"text"} or self.start is not None):
            raise PlanError(
                "leaning",
                "Heads can lean at first where a decoder learns lines or a text from nothing; set it to false.",
            )
        if self.batch_tokens and self.assignment not in PAIRED:
            raise PlanError("batch_tokens", "Batches are counted in tokens where pairs are learned; set it to 0.")

    def _refuse_architecture(self) -> None:
        for name, plain in PLAIN_ARCHITECTURE.items():
            if self.start is not None and getattr(self, name) != plain:
                raise PlanError(name, f"A model that is fine-tuned keeps its own {name}; leave it out.")
        if self.key_width is not None:
            least, most = LIMITS_OF_KEY_WIDTH
            if not isinstance(self.key_width, int) or isinstance(self.key_width, bool):
                raise PlanError("key_width", "key_width is a whole number, or none.")
            if not least <= self.key_width <= most:
                raise PlanError("key_width", f"key_width is a whole number from {least} to {most}.", most)
        if self.start is None and self.width % self.heads:
            raise PlanError("heads", f"{self.heads} heads do not divide a width of {self.width}.")
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                told = ", ".join(choice for choice in choices if choice is not None)
                raise PlanError(name, f"{name} is one of {told}.")

    @property
    def rate(self) -> Schedule:
        match self.schedule:
            case "noam":
                return noam(self.width, self.warmup, self.learning_rate)
            case "linear":
                return warmup_linear(self.learning_rate, self.warmup, self.steps)
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


CHOICES: dict[str, tuple[str | None, ...]] = {
    "schedule": get_args(ScheduleName),
    "tokenizer": TOKENIZERS,
    "languages": get_args(LanguagesName),
    "positions": (None, *get_args(PositionEncoding)),
    "norm_order": (None, *get_args(NormPlacement)),
    "score": get_args(ScoreFunction),
    "precision": PRECISIONS,
}
LIMITS_OF_WHOLE = {
    "layers": (1, 24),
    "heads": (1, 32),
    "width": (16, 1024),
    "steps": (1, 1_000_000),
    "batch": (1, 1024),
    "batch_tokens": (0, 100_000),
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
LIMITS_OF_KEY_WIDTH = (1, 256)
LIMITS_OF_REAL = {
    "known_share": (0.1, 0.9),
    "dropout": (0.0, 0.9),
    "label_smoothing": (0.0, 0.9),
    "learning_rate": (1e-7, 10.0),
    "weight_decay": (0.0, 1.0),
    "beta1": (0.0, 0.9999),
    "beta2": (0.0, 0.99999),
    "clip": (0.0, 1000.0),
}
