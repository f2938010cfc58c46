"""`digits`: a tiny vision Transformer that reads handwritten digits, in ink of either colour.

Trained on scikit-learn's copy of the UCI digits: 8 × 8 pictures, which the model reads at twice their size, so that
each patch is about one pixel of the original. The last pictures, other people's hands, are held out.
"""

# B batch, C colour channels, Y and X pixels down and across, H heads, K patches

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from modelcore.analysis.picture import PREPROCESSING_FILE, preprocess, read_preprocessing
from modelcore.checkpoints.class_names import write_class_names
from modelcore.checkpoints.writer import save_checkpoint, with_temporary, write_json
from modelcore.config import HeadConfig, ImageConfig, ModelConfig, StackConfig
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import build
from modelcore.models.vision import Vision
from modelcore.training.loop import Optimisation, StepDone, train
from modelcore.training.schedules import warmup_cosine

IMAGE = ImageConfig(height=16, width=16, patch_height=2, patch_width=2)
CONFIG = ModelConfig(
    vocabulary=0,
    positions=IMAGE.tokens,
    width=64,
    encoder=StackConfig(layers=4, heads=4, feedforward_width=192),
    image=IMAGE,
    head=HeadConfig("classes", 10, tied=False, bias=True),
    norm_epsilon=1e-6,
    activation="gelu",
    dropout=0.1,
)
# As transformers' ViTImageProcessor writes it.
PREPROCESSING = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": IMAGE.height, "width": IMAGE.width},
    "resample": 2,
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
}
BATCH, STEPS = 64, 3000
PEAK_RATE, WARMUP = 1.5e-3, 200
HELD_OUT = 360
BRIGHTEST = 16
LARGEST_SHIFT = 2
ADAM = Optimisation(weight_decay=0.05)
# Places among the pictures that are held out.
EXAMPLES = {"seven": 5, "eight": 6}


@dataclass(frozen=True)
class Digits:
    """Pictures as the model reads them, and which digit each shows."""

    pixels_BCYX: Tensor
    labels_B: Tensor


@dataclass(frozen=True)
class Saved:
    """The checkpoint was written. Accuracy is over the pictures that were held out, as they are and as negatives."""

    step: int
    held_out_accuracy: float
    negative_accuracy: float
    ink: float
    ink_head: InkHead
    paper_head: InkHead


def train_digits(out: Path, *, steps: int = STEPS, seed: int = 0) -> Iterator[StepDone | Saved]:
    """Trains, and writes the checkpoint with its card and its examples at the end."""
    torch.manual_seed(seed)
    pictures, labels = read_digits()
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / PREPROCESSING_FILE, PREPROCESSING)
    known, held_out = as_read(pictures[:-HELD_OUT], labels[:-HELD_OUT], out), held_out_digits(out)
    model = build(CONFIG)
    assert isinstance(model, Vision)
    schedule = warmup_cosine(PEAK_RATE, WARMUP, steps, floor=0.02)
    done = None
    for done in train(model, _batches(known, seed), digits_told, schedule, steps, ADAM):
        yield done
    if done is not None:
        yield _save(out, model, held_out, pictures[-HELD_OUT:], done)


def read_digits() -> tuple[list[Image.Image], list[int]]:
    """The pictures, white ink on black, and their digits. Needs scikit-learn."""
    from sklearn.datasets import load_digits

    found = load_digits()
    values_NYX = (found.images * 255 / BRIGHTEST).round().astype(np.uint8)
    return [Image.fromarray(values_YX).convert("RGB") for values_YX in values_NYX], found.target.tolist()


def held_out_digits(checkpoint: Path) -> Digits:
    pictures, labels = read_digits()
    return as_read(pictures[-HELD_OUT:], labels[-HELD_OUT:], checkpoint)


def as_read(pictures: list[Image.Image], labels: list[int], checkpoint: Path) -> Digits:
    """Preprocessed as the checkpoint's folder says."""
    preprocessing = read_preprocessing(checkpoint, IMAGE)
    pixels = [preprocess(picture, IMAGE, preprocessing).pixels for picture in pictures]
    return Digits(torch.cat(pixels), torch.tensor(labels))


def digits_told(model: Vision, batch: Digits) -> Tensor:
    """Cross-entropy of the digits, in nats."""
    return F.cross_entropy(model(batch.pixels_BCYX), batch.labels_B)


@torch.inference_mode()
def accuracy(model: Vision, digits: Digits) -> float:
    return (model(digits.pixels_BCYX).argmax(-1) == digits.labels_B).float().mean().item()


@dataclass(frozen=True)
class InkHead:
    """How much of what its class token gives to patches a head gives to patches with ink."""

    site: str
    head: int
    share: float


@torch.inference_mode()
def ink_heads(model: Vision, digits: Digits) -> list[InkHead]:
    """All heads, the one that looks most at ink first; means over white digits on black."""
    maps: list[AttentionMap] = []
    model(digits.pixels_BCYX, tap=maps.append)
    has_ink_BK = inked(digits)
    found = []
    for map_ in maps:
        weights_BHK = map_.tile(range(1))[:, :, 0, IMAGE.extra_tokens :]
        shares_BH = (weights_BHK * has_ink_BK[:, None]).sum(-1) / weights_BHK.sum(-1)
        found += [InkHead(str(map_.site), head, share) for head, share in enumerate(shares_BH.mean(0).tolist())]
    return sorted(found, key=lambda head: -head.share)


def inked(digits: Digits) -> Tensor:
    """Which patches are brighter than grey, as 0 and 1, row by row."""
    return (F.avg_pool2d(digits.pixels_BCYX.mean(1, keepdim=True), IMAGE.patch_height).flatten(1) > 0).float()


def _batches(known: Digits, seed: int) -> Iterator[Digits]:
    """Moved by a pixel or two, half of them as negatives: what is drawn elsewhere is not centred, nor in this ink."""
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int, *shape: int) -> Tensor:
        return torch.randint(low, high, shape, generator=generator)

    while True:
        chosen = draw(0, len(known.labels_B), BATCH)
        pixels_BCYX = known.pixels_BCYX[chosen]
        down, across = draw(-LARGEST_SHIFT, LARGEST_SHIFT + 1, 2).tolist()
        # The corners of these pictures are empty, so what leaves at one side may come in at the other.
        pixels_BCYX = pixels_BCYX.roll((down, across), (2, 3))
        sign_B = 1 - 2 * draw(0, 2, BATCH).float()
        yield Digits(pixels_BCYX * sign_B[:, None, None, None], known.labels_B[chosen])


def _save(out: Path, model: Vision, held_out: Digits, pictures: list[Image.Image], done: StepDone) -> Saved:
    heads = ink_heads(model, held_out)
    saved = Saved(
        done.step,
        accuracy(model, held_out),
        accuracy(model, Digits(-held_out.pixels_BCYX, held_out.labels_B)),
        inked(held_out).mean().item(),
        heads[0],
        heads[-1],
    )
    save_checkpoint(out, model, "vit")
    write_class_names(out, [str(digit) for digit in range(10)])
    for name, place in EXAMPLES.items():
        with_temporary(out / f"{name}.png", partial(pictures[place].save, format="PNG"))
    write_json(out / "card.json", _card(saved))
    return saved


def _card(saved: Saved) -> dict[str, object]:
    def head(found: InkHead) -> dict[str, object]:
        return {"site": found.site, "head": found.head, "ink_share": round(found.share, 4)}

    return {
        "id": "digits",
        "name": "Digits",
        "sentence": "A tiny ViT: 4 layers of 4 heads that read handwritten digits, white on black or black on white.",
        "examples": [
            {
                "title": "A handwritten seven",
                "picture": "seven.png",
                "site": saved.ink_head.site,
                "head": saved.ink_head.head,
                "finding": "The class token looks at the ink, patch by patch, and leaves the paper out.",
            },
            {
                "title": "What is not written",
                "picture": "eight.png",
                "site": saved.paper_head.site,
                "head": saved.paper_head.head,
                "finding": "Here the class token looks at the paper beside the strokes, and leaves the ink out.",
            },
        ],
        "measured": {
            "steps": saved.step,
            "held_out_accuracy": round(saved.held_out_accuracy, 4),
            "negative_accuracy": round(saved.negative_accuracy, 4),
            "held_out_pictures": HELD_OUT,
            "ink": round(saved.ink, 4),
            "ink_head": head(saved.ink_head),
            "paper_head": head(saved.paper_head),
        },
        "recipe": "python -m modelcore train-zoo digits --out DIR",
        "training_data": "UCI Optical Recognition of Handwritten Digits, as bundled with scikit-learn (load_digits).",
    }
