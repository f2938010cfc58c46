"""A checkpoint that a training starts from: what it can go on to learn, and what of its weights is taken."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from torch import nn

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import Checkpoint, open_checkpoint
from modelcore.config import ModelConfig
from modelcore.tokenizer import TOKENIZER_FILES, Tokenizer
from modelcore.training.assignments.marks import Marks, marks_of
from modelcore.training.plan import OF_PICTURES, PAIRED, PlanError, TrainingPlan

DRAWN = ("dates", "numbers")
READS = {
    "decoder": "go on with a text",
    "encoder": "guess hidden words",
    "encoder-decoder": "turn a source into a target",
    "vision": "read pictures",
}


@dataclass(frozen=True)
class Start:
    """A checkpoint whose family can learn what the plan asks for."""

    checkpoint: Checkpoint
    config: ModelConfig

    @property
    def family(self) -> str:
        return self.checkpoint.family

    @property
    def tokenizer(self) -> Tokenizer:
        tokenizer = self.checkpoint.tokenizer
        assert tokenizer is not None, "those that read pictures are not asked"
        return tokenizer

    def give_weights(self, model: nn.Module, *, keeps_head: bool) -> None:
        """Into a model of the same sizes; a head that is new there stays as it is. Reads the files.

        Raises: PlanError where they are broken.
        """
        try:
            weights = self.checkpoint.load().state_dict()
        except CheckpointError as error:
            raise PlanError("start", str(error)) from error
        taken = {name: value for name, value in weights.items() if keeps_head or not name.startswith("head.")}
        left = model.load_state_dict(taken, strict=False)
        assert not left.unexpected_keys and all(name.startswith("head.") for name in left.missing_keys), left

    def copy_tokenizer(self, folder: Path) -> None:
        """Its files as they are: written anew, a vocabulary of two languages would lose one."""
        for name in TOKENIZER_FILES:
            if (self.checkpoint.path / name).is_file():
                shutil.copyfile(self.checkpoint.path / name, folder / name)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an assignment gets besides its plan: the tokenizer that it was cut with before or that is taken from a
    checkpoint, the checkpoint that it starts from, and the zip of pictures.
    """

    tokenizer: Tokenizer | None = None
    start: Start | None = None
    pictures: Path | None = None


def open_start(plan: TrainingPlan, folder: Path | None) -> Start | None:
    """None where the plan starts from nothing. Raises: PlanError naming the field that does not fit."""
    if plan.start is None:
        return None
    checkpoint = _open(folder, "start")
    config = checkpoint.config
    wanted, output = _wanted(plan.assignment)
    if config.architecture != wanted:
        raise PlanError(
            "start",
            f"{plan.assignment} is learned by models that {READS[wanted]}; this one was made to "
            f"{READS[config.architecture]}. Choose another model, or another task.",
        )
    if output and config.output != output:
        raise PlanError("start", "This model has no head that says words; choose one that was saved with its head.")
    start = Start(checkpoint, replace(config, dropout=plan.dropout))
    if plan.assignment in OF_PICTURES:
        return start
    if _tokenizer_of(checkpoint, "start") is None:
        raise PlanError("start", "This model came without a tokenizer, so it can read no text; choose another.")
    tokens = start.tokenizer.vocabulary
    if tokens > config.vocabulary:
        known = config.vocabulary
        raise PlanError("start", f"Its tokenizer has {tokens:,} tokens, the model {known:,}; choose another.")
    marks = marks_of(start.tokenizer)
    _refuse_missing(plan, marks, "start")
    if plan.assignment in PAIRED and config.start_token is None:
        raise PlanError("start", "This model does not say which token a target starts with; choose another.")
    if plan.assignment not in DRAWN and plan.length > config.longest:
        raise PlanError(
            "length", f"This model reads at most {config.longest:,} tokens; set length to fewer.", config.longest
        )
    return start


def tokenizer_taken(plan: TrainingPlan, folder: Path | None) -> Tokenizer | None:
    """Of the checkpoint that the plan takes it from; None where it takes none.

    Raises: PlanError where it cannot cut what this task learns.
    """
    if plan.tokenizer_from is None:
        return None
    checkpoint = _open(folder, "tokenizer_from")
    tokenizer = _tokenizer_of(checkpoint, "tokenizer_from")
    if tokenizer is None:
        raise PlanError("tokenizer_from", "This model came without a tokenizer; choose another.")
    # What its own model has no vector for, a new one can have.
    tokenizer = Tokenizer.from_json(tokenizer.to_json())
    _refuse_missing(plan, marks_of(tokenizer), "tokenizer_from")
    return tokenizer


def _wanted(assignment: str) -> tuple[str, str | None]:
    """The architecture that learns this, and what its head must give; pictures may get a new head."""
    if assignment in OF_PICTURES:
        return "vision", None
    if assignment in PAIRED:
        return "encoder-decoder", "vocabulary"
    return "encoder" if assignment == "masked" else "decoder", "vocabulary"


def _open(folder: Path | None, field: str) -> Checkpoint:
    if folder is None or not folder.is_dir():
        raise PlanError(field, "The files of this model are gone; choose another.")
    try:
        return open_checkpoint(folder)
    except CheckpointError as error:
        raise PlanError(field, str(error)) from error


def _tokenizer_of(checkpoint: Checkpoint, field: str) -> Tokenizer | None:
    try:
        return checkpoint.tokenizer
    except CheckpointError as error:
        raise PlanError(field, str(error)) from error


def _refuse_missing(plan: TrainingPlan, marks: Marks, field: str) -> None:
    if plan.assignment == "masked" and marks.mask is None:
        raise PlanError(field, "This tokenizer has no token that hides others, as [MASK] does; choose another.")
    if plan.assignment in PAIRED and not marks.end:
        raise PlanError(field, "This tokenizer ends no text with a token of its own, as </s> does; choose another.")
