"""From a picture to the pixels that a vision model was trained on."""

# B batch, C colour channels, Y and X pixels down and across

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from modelcore.analysis.request import RequestError
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import read_json_object
from modelcore.config import ImageConfig

PREPROCESSING_FILE = "preprocessor_config.json"
PREPROCESSING_LIMIT_BYTES = 1024 * 1024

# A picture is decoded whole, at up to 4 bytes a pixel, and then once more as colours; its file may be a thousand times
# smaller.
PIXEL_LIMIT = 40_000_000
# Pillow knows formats that start other programs, and many that nobody has looked at for years.
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
# Of a progressive JPEG, which has about ten. Each pass goes over all of its pixels again, and a few bytes ask for one.
PASS_LIMIT, PASSED_PIXEL_LIMIT = 100, 10 * PIXEL_LIMIT
PASS_MARKER = b"\xff\xda"


@dataclass(frozen=True)
class Preprocessing:
    """Resize, cut out the middle, then (value · rescale - mean) / deviation, channel by channel.

    `shortest` is the length of the shorter side after resizing; None resizes both sides at once to `size`.
    Source: `ViTImageProcessor` and `DeiTImageProcessor` in Hugging Face's transformers.
    """

    size: tuple[int, int]
    shortest: int | None
    resample: Image.Resampling
    rescale: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class PictureRead:
    """A picture as a model reads it.

    Shapes: pixels (1, C, Y, X), float32, normalised; seen_YXC the same before that, uint8, for people to look at.
    """

    image: ImageConfig
    preprocessing: Preprocessing
    pixels: Tensor
    seen_YXC: np.ndarray[Any, np.dtype[np.uint8]]


def read_picture(file: Path, image: ImageConfig, checkpoint: Path, name: str | None = None) -> PictureRead:
    """A picture file as the model of this checkpoint's folder wants it; `name` is what refusals call it.

    Without a preprocessor_config.json, as ViT was trained: resized to the model's size, values from -1 to 1.
    Raises: RequestError if the picture cannot be read; CheckpointError if the preprocessing cannot.
    """
    preprocessing = read_preprocessing(checkpoint, image)
    picture = decode(file.read_bytes(), "RGB" if image.channels == 3 else "L", name or file.name)
    return preprocess(picture, image, preprocessing)


def preprocess(picture: Image.Image, image: ImageConfig, preprocessing: Preprocessing) -> PictureRead:
    """A decoded picture, in the colours that the model reads. Raises: RequestError if it is too long for its width."""
    seen_YXC = as_seen(picture, image, preprocessing)
    return PictureRead(image, preprocessing, as_pixels(seen_YXC[None], preprocessing), seen_YXC)


def as_seen(picture: Image.Image, image: ImageConfig, preprocessing: Preprocessing) -> np.ndarray[Any, Any]:
    """Resized and cut, (Y, X, C) uint8. Raises: RequestError if the picture is too long for its width."""
    return np.asarray(_fit(picture, image, preprocessing)).reshape(image.height, image.width, image.channels)


def as_pixels(seen_BYXC: np.ndarray[Any, Any], preprocessing: Preprocessing) -> Tensor:
    """Normalised, (B, C, Y, X) float32."""
    mean, deviation = (np.array(numbers, np.float32) for numbers in (preprocessing.mean, preprocessing.deviation))
    pixels_BYXC = (seen_BYXC.astype(np.float32) * np.float32(preprocessing.rescale) - mean) / deviation
    return torch.from_numpy(pixels_BYXC.transpose(0, 3, 1, 2).copy())


def read_pixels(file: Path) -> Tensor:
    """A preprocessed picture from a `.npy` file, float32. Raises: RequestError."""
    try:
        array = np.load(file, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise RequestError(
            "wrong_pixels", f"{file.name} is no .npy file of numbers; write it with numpy.save."
        ) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
        raise RequestError("wrong_pixels", f"{file.name} holds no float array; save the pixels as float32.")
    return torch.from_numpy(array.astype(np.float32))


def read_preprocessing(checkpoint: Path, image: ImageConfig) -> Preprocessing:
    """What the folder says of its pictures. Raises: CheckpointError naming the key."""
    file = checkpoint / PREPROCESSING_FILE
    values = read_json_object(file, PREPROCESSING_LIMIT_BYTES) if file.is_file() else {}
    for key in ("do_resize", "do_rescale", "do_normalize"):
        if values.get(key, True) is not True:
            raise CheckpointError(f"{PREPROCESSING_FILE}: {key} must be true; give the pixels with --pixels instead.")
    half = (0.5,) * image.channels
    crops = values.get("do_center_crop", False) is True
    size, shortest = _size(values, "size", (image.height, image.width))
    cut, _ = _size(values, "crop_size", size) if crops else (size, None)
    if cut != (image.height, image.width) or (shortest is not None and not crops):
        raise CheckpointError(
            f"{PREPROCESSING_FILE}: pictures become {cut[0]} × {cut[1]}, but the model reads "
            f"{image.height} × {image.width} pixels."
        )
    try:
        resample = Image.Resampling(values.get("resample", Image.Resampling.BILINEAR))
    except ValueError as error:
        raise CheckpointError(f"{PREPROCESSING_FILE}: resample must be a number from 0 to 5.") from error
    rescale = values.get("rescale_factor", 1 / 255)
    if not isinstance(rescale, float) or not 0 < rescale <= 1:
        raise CheckpointError(f"{PREPROCESSING_FILE}: rescale_factor must be a number between 0 and 1.")
    mean, deviation = _channels(values, "image_mean", half), _channels(values, "image_std", half)
    if min(deviation) <= 0:
        raise CheckpointError(f"{PREPROCESSING_FILE}: image_std must be positive.")
    return Preprocessing(size, shortest, resample, rescale, mean, deviation)


def decode(content: bytes, mode: str, name: str, most_pixels: int | None = None) -> Image.Image:
    """A file's bytes, upright, as its camera meant it. What is too large, animated or broken is refused before it is
    decoded. Raises: RequestError, which calls it `name`.
    """
    most_pixels = PIXEL_LIMIT if most_pixels is None else most_pixels
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            # Of many pixels Pillow warns on its own; the limit here is lower.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            _require_modest(opened, content, name, most_pixels)
            return ImageOps.exif_transpose(opened).convert(mode)
    except RequestError:
        raise
    except Image.DecompressionBombError as error:  # Pillow's own limit, which it looks at first
        message = f"{name} has far more than {most_pixels:,} pixels, which is the most that are read."
        raise RequestError("image_too_large", message) from error
    except Exception as error:  # decoders meet whatever bytes somebody made up, and fail in many ways
        if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
            raise  # This is the machine's fault, not the picture's.
        message = f"{name} is no picture that can be read; give a PNG, JPEG, WebP, GIF or BMP."
        raise RequestError("bad_image", message) from error


def _require_modest(opened: Image.Image, content: bytes, name: str, most_pixels: int) -> None:
    """Reads the header only. Raises: RequestError."""
    if opened.width * opened.height > most_pixels:
        raise RequestError(
            "image_too_large",
            f"{name} has {opened.width:,} × {opened.height:,} pixels; at most {most_pixels:,} are read. "
            "Make it smaller: the model reads far fewer.",
        )
    # Phones store a second, smaller view within a JPEG, which then counts as MPO: no animation.
    if getattr(opened, "is_animated", False) and opened.format != "MPO":
        raise RequestError("image_moves", f"{name} is animated, and a model reads one picture. Save one frame of it.")
    if opened.format in ("JPEG", "MPO"):
        passes = content.count(PASS_MARKER)
        if passes > PASS_LIMIT or passes * opened.width * opened.height > PASSED_PIXEL_LIMIT:
            raise RequestError("bad_image", f"{name} is written in {passes:,} passes, too many. Save it again as PNG.")


def _fit(picture: Image.Image, image: ImageConfig, preprocessing: Preprocessing) -> Image.Image:
    """Resized, and the middle cut out."""
    height, width = preprocessing.size
    if preprocessing.shortest is not None:
        factor = preprocessing.shortest / min(picture.width, picture.height)
        height, width = int(picture.height * factor), int(picture.width * factor)
    if height * width > PIXEL_LIMIT:
        raise RequestError(
            "image_too_narrow",
            f"A picture of {picture.width:,} × {picture.height:,} pixels is too long for its width. Cut a part out.",
        )
    picture = picture.resize((width, height), preprocessing.resample)
    top, left = (height - image.height) // 2, (width - image.width) // 2
    return picture.crop((left, top, left + image.width, top + image.height))


def _size(values: dict[str, Any], key: str, default: tuple[int, int]) -> tuple[tuple[int, int], int | None]:
    """(height, width), and the shorter side where that is what the file gives."""
    size = values.get(key)
    if size is None:
        return default, None
    if isinstance(size, int) and not isinstance(size, bool):
        return (size, size), None
    if isinstance(size, dict) and {"height", "width"} <= size.keys():
        height, width = size["height"], size["width"]
        if all(isinstance(side, int) and 0 < side <= 65_536 for side in (height, width)):
            return (height, width), None
    if isinstance(size, dict) and isinstance(size.get("shortest_edge"), int):
        return (size["shortest_edge"],) * 2, size["shortest_edge"]
    raise CheckpointError(f"{PREPROCESSING_FILE}: {key} must have height and width, or shortest_edge.")


def _channels(values: dict[str, Any], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    numbers = values.get(key, default)
    right = isinstance(numbers, (list, tuple)) and len(numbers) == len(default)
    if not right or not all(isinstance(number, (int, float)) for number in numbers):
        raise CheckpointError(f"{PREPROCESSING_FILE}: {key} must have one number for each of {len(default)} channels.")
    return tuple(float(number) for number in numbers)
