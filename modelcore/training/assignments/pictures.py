"""Pictures that a vision Transformer tells apart: scikit-learn's handwritten digits, or a zip of the user's."""

# B batch, C colour channels, Y and X pixels down and across, N pictures

from __future__ import annotations

import random
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from modelcore.analysis.picture import (
    PREPROCESSING_FILE,
    Preprocessing,
    as_pixels,
    as_seen,
    read_preprocessing,
)
from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.checkpoints.class_names import read_class_names, write_class_names
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.writer import with_temporary, write_json
from modelcore.config import HeadConfig, ImageConfig, ModelConfig, StackConfig
from modelcore.models.vision import Vision
from modelcore.training.assignments.assignment import random_of
from modelcore.training.assignments.starting import Given, Start
from modelcore.training.picture_zip import FEWEST_OF_A_LABEL, MOST_LABELS, read_picture_zip
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.recipes import digits

# Of a zip's pictures; and of digits, twice their size, so that a patch is about two by two of their pixels.
OWN_IMAGE = ImageConfig(height=32, width=32, patch_height=4, patch_width=4)
DIGITS_IMAGE = ImageConfig(height=16, width=16, patch_height=4, patch_width=4)
PROBE_FILE = "probe.png"
HELD_OUT_OF = 10
MOST_HELD_OUT = 512
MOST_KEPT_BYTES = 1 << 30
# So many at once are measured.
MEASURED = 128


@dataclass(frozen=True)
class Labelled:
    """Pictures as a model sees them before they are normalised, uint8, and which class each shows."""

    seen_NYXC: np.ndarray[Any, Any]
    labels_N: Tensor

    @classmethod
    def of(cls, seen: Sequence[np.ndarray[Any, Any]], labels: Sequence[int]) -> Labelled:
        return cls(np.stack(seen), torch.tensor(labels))


class PictureBatch(NamedTuple):
    pixels_BCYX: Tensor
    labels_B: Tensor


class PictureAssignment:
    """A ViT. Of digits those of other hands are held out, which stand last; of a zip a tenth of each label.

    Where a checkpoint is started from, pictures become what that one reads; it gets a new classifier unless its
    classes are the same by name and order.
    """

    tokenizer = None

    def __init__(self, plan: TrainingPlan, given: Given) -> None:
        self._plan, self._start = plan, given.start
        is_digits = plan.assignment == "digits"
        image = _image_of(given.start) if given.start else DIGITS_IMAGE if is_digits else OWN_IMAGE
        self._preprocessing = _preprocessing_of(given.start, image)
        self._largest_shift = image.height // 16 if is_digits else 0
        if is_digits:
            self.names, self._known, self._held_out = self._read_digits(image)
        else:
            assert given.pictures is not None, "the plan asks for them"
            self.names, self._known, self._held_out = self._read_zip(given.pictures, image)
        self.family = given.start.family if given.start else "vit"
        classifier = HeadConfig("classes", len(self.names), tied=False, bias=True)
        self.has_new_classifier = given.start is None or not self._knows_classes(given.start)
        config = given.start.config if given.start else self._as_vit(image, classifier)
        self.config = replace(config, head=classifier) if self.has_new_classifier else config
        self.probe = TraceRequest(pixels=self._pixels(self._held_out, [0]))

    def batch(self, step: int) -> PictureBatch:
        """Digits are moved, as not every hand centres them."""
        generator = random_of(self._plan.seed, step)
        chosen = generator.choices(range(len(self._known.labels_N)), k=self._plan.batch)
        pixels_BCYX = self._pixels(self._known, chosen)
        if self._largest_shift:
            pixels_BCYX = torch.stack([self._moved(picture_CYX, generator) for picture_CYX in pixels_BCYX])
        return PictureBatch(pixels_BCYX, self._known.labels_N[chosen])

    def loss(self, model: Vision, batch: PictureBatch) -> Tensor:
        smoothing = self._plan.label_smoothing if model.training else 0.0
        return F.cross_entropy(model(batch.pixels_BCYX), batch.labels_B, label_smoothing=smoothing)

    def measure(self, model: Vision) -> dict[str, float]:
        count = len(self._held_out.labels_N)
        logits = [
            model(self._pixels(self._held_out, range(first, min(first + MEASURED, count))))
            for first in range(0, count, MEASURED)
        ]
        logits_NL, labels_N = torch.cat(logits), self._held_out.labels_N
        return {
            "loss": F.cross_entropy(logits_NL, labels_N).item(),
            "accuracy": (logits_NL.argmax(-1) == labels_N).float().mean().item(),
        }

    def tokens_of(self, batch: PictureBatch) -> int:
        return len(batch.labels_B) * self.config.positions

    def write_beside(self, folder: Path) -> None:
        """What goes with the weights: how pictures are prepared, what the classes are, and the probe picture."""
        if self._start is None:
            image = self.config.image
            assert image is not None
            size = {"height": image.height, "width": image.width}
            write_json(folder / PREPROCESSING_FILE, digits.PREPROCESSING | {"size": size})
        elif (self._start.checkpoint.path / PREPROCESSING_FILE).is_file():
            shutil.copyfile(self._start.checkpoint.path / PREPROCESSING_FILE, folder / PREPROCESSING_FILE)
        write_class_names(folder, self.names)
        seen_YXC = self._held_out.seen_NYXC[0]
        probe = Image.fromarray(seen_YXC if seen_YXC.shape[2] == 3 else seen_YXC[:, :, 0])
        with_temporary(folder / PROBE_FILE, partial(probe.save, format="PNG"))

    def _pixels(self, of: Labelled, places: Sequence[int]) -> Tensor:
        return as_pixels(of.seen_NYXC[list(places)], self._preprocessing)

    def _moved(self, picture_CYX: Tensor, generator: random.Random) -> Tensor:
        """By a pixel or so. The corners of digits are empty, so what leaves at one side may come in at the other."""
        down, across = (generator.randint(-self._largest_shift, self._largest_shift) for _ in range(2))
        return picture_CYX.roll((down, across), (1, 2))

    def _see(self, picture: Image.Image, image: ImageConfig, name: str = "") -> np.ndarray[Any, Any]:
        colours = picture.convert("RGB" if image.channels == 3 else "L")
        try:
            return as_seen(colours, image, self._preprocessing)
        except RequestError as error:
            raise PlanError("pictures", f"{name}: {error.message}") from error

    def _read_digits(self, image: ImageConfig) -> tuple[list[str], Labelled, Labelled]:
        try:
            pictures, labels = digits.read_digits()
        except ImportError as error:
            raise PlanError(
                "assignment", "scikit-learn, which brings the digits, is not installed where this trains; install it."
            ) from error
        seen = [self._see(picture, image) for picture in pictures]
        cut = len(seen) - digits.HELD_OUT
        known, held_out = Labelled.of(seen[:cut], labels[:cut]), Labelled.of(seen[cut:], labels[cut:])
        return [str(digit) for digit in range(10)], known, held_out

    def _read_zip(self, file: Path, image: ImageConfig) -> tuple[list[str], Labelled, Labelled]:
        by_label: defaultdict[str, list[np.ndarray[Any, Any]]] = defaultdict(list)
        kept_bytes = 0
        for one in read_picture_zip(file):
            by_label[one.label].append(self._see(one.picture, image, one.name))
            kept_bytes += by_label[one.label][-1].nbytes
            if kept_bytes > MOST_KEPT_BYTES:
                raise PlanError(
                    "pictures", f"These are too many pictures of {image.width} × {image.height} pixels; give fewer."
                )
        _refuse_too_little_to_tell_apart(by_label)
        known: list[tuple[np.ndarray[Any, Any], int]] = []
        held_out: list[tuple[np.ndarray[Any, Any], int]] = []
        most = max(1, MOST_HELD_OUT // len(by_label))
        for class_, label in enumerate(sorted(by_label)):
            pictures = by_label[label]
            random_of(self._plan.seed, f"held out {class_}").shuffle(pictures)
            cut = min(most, max(1, len(pictures) // HELD_OUT_OF))
            held_out += [(picture, class_) for picture in pictures[:cut]]
            known += [(picture, class_) for picture in pictures[cut:]]
        return sorted(by_label), _together(known), _together(held_out)

    def _as_vit(self, image: ImageConfig, classifier: HeadConfig) -> ModelConfig:
        plan = self._plan
        return ModelConfig(
            vocabulary=0,
            positions=image.tokens,
            width=plan.width,
            encoder=StackConfig(plan.layers, plan.heads, 4 * plan.width),
            image=image,
            head=classifier,
            norm_epsilon=1e-6,
            activation="gelu",
            dropout=plan.dropout,
        )

    def _knows_classes(self, start: Start) -> bool:
        head = start.config.head
        named = read_class_names(start.checkpoint.path) == dict(enumerate(self.names))
        return named and head.output == "classes" and head.classes == len(self.names)


def _together(of: list[tuple[np.ndarray[Any, Any], int]]) -> Labelled:
    return Labelled.of([picture for picture, _ in of], [class_ for _, class_ in of])


def _refuse_too_little_to_tell_apart(by_label: dict[str, list[np.ndarray[Any, Any]]]) -> None:
    if len(by_label) < 2:
        raise PlanError("pictures", "The zip has one label or none; make a folder for each of at least two.", 2)
    if len(by_label) > MOST_LABELS:
        raise PlanError("pictures", f"The zip has {len(by_label):,} labels; at most {MOST_LABELS} are told apart.")
    for label, pictures in sorted(by_label.items()):
        if len(pictures) < FEWEST_OF_A_LABEL:
            raise PlanError(
                "pictures",
                f"The folder {label} has one picture; give at least {FEWEST_OF_A_LABEL} that differ.",
                FEWEST_OF_A_LABEL,
            )


def _image_of(start: Start) -> ImageConfig:
    image = start.config.image
    assert image is not None, "other models are refused"
    return image


def _preprocessing_of(start: Start | None, image: ImageConfig) -> Preprocessing:
    """From nothing as ViT was trained: resized, values from -1 to 1."""
    try:
        return read_preprocessing(start.checkpoint.path if start else Path(), image)
    except CheckpointError as error:
        raise PlanError("start", str(error)) from error
