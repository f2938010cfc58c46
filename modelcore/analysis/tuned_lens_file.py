"""A tuned lens on disk, bound to the weights that it was trained for; and one that is still in training.

LENS                          a safetensors file: weight (D, W, W), bias (D, W), and `about` in its metadata, as JSON
FOLDER/lesson.safetensors     x (L, N, W), the streams that are taught
FOLDER/tuning.safetensors     all tensors of a Tuning, and its numbers in the metadata, as JSON
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from modelcore.analysis.request import RequestError
from modelcore.analysis.tuned_lens import Lesson, TunedLens, Tuning
from modelcore.checkpoints.writer import with_temporary

LESSON_FILE = "lesson.safetensors"
TUNING_FILE = "tuning.safetensors"


@dataclass(frozen=True, kw_only=True)
class AboutLens:
    """What is known of a tuned lens. `before` and `after` are KL(model || lens) at each depth in nats, on tokens that
    it has not been trained on; `checkpoint` is the digest of the model's files, `trained_at` Unix time in seconds.
    """

    checkpoint: str
    tokens: int
    steps: int
    before: list[float]
    after: list[float]
    trained_at: float


def save_tuned_lens(path: Path, lens: TunedLens, about: AboutLens) -> None:
    """The file appears whole or not at all. Raises: OSError, as when the disk is full."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {"weight": lens.weight_DWW.contiguous(), "bias": lens.bias_DW.contiguous()}
    metadata = {"about": json.dumps(asdict(about))}
    with_temporary(path, lambda file: save_file(tensors, file, metadata=metadata))


def open_tuned_lens(path: Path, checkpoint: str) -> TunedLens:
    """Raises: RequestError if there is none, or it was trained for other weights than the checkpoint's."""
    try:
        with safe_open(path, framework="pt") as file:
            about = AboutLens(**json.loads(file.metadata()["about"]))
            lens = TunedLens(file.get_tensor("weight"), file.get_tensor("bias"))
    except FileNotFoundError:
        raise RequestError("no_tuned_lens", "This model has no tuned lens yet; train one first.") from None
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise RequestError("no_tuned_lens", "The file of this model's tuned lens is broken; train one anew.") from None
    if about.checkpoint != checkpoint:
        raise RequestError(
            "stale_lens", "The model's files have changed since its tuned lens was trained; train one anew."
        )
    return lens


def save_lesson(folder: Path, lesson: Lesson) -> None:
    """Raises: OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    with_temporary(folder / LESSON_FILE, lambda file: save_file({"x": lesson.x_LNW.contiguous()}, file))


def open_lesson(folder: Path) -> Lesson | None:
    """Mapped from its file; None before there is one."""
    try:
        with safe_open(folder / LESSON_FILE, framework="pt") as file:
            return Lesson(file.get_tensor("x"))
    except FileNotFoundError:
        return None


def save_tuning(folder: Path, tuning: Tuning) -> None:
    """Raises: OSError."""
    numbers = {"step": tuning.step, "least": tuning.least, "before": tuning.before}
    metadata = {"numbers": json.dumps(numbers)}
    with_temporary(folder / TUNING_FILE, lambda file: save_file(tuning.tensors, file, metadata=metadata))


def open_tuning(folder: Path) -> Tuning | None:
    """In memory of its own, as training changes it; None before there is one."""
    try:
        with safe_open(folder / TUNING_FILE, framework="pt") as file:
            tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a mapping)
            numbers = json.loads(file.metadata()["numbers"])
    except FileNotFoundError:
        return None
    return Tuning(tensors, **numbers)
