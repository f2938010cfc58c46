"""Pictures become the pixels that the outside implementation makes of them, or are refused with a sentence."""

from __future__ import annotations

import contextlib
import json
import random
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from modelcore.analysis import picture
from modelcore.analysis.picture import read_picture, read_pixels
from modelcore.analysis.request import RequestError, TraceRequest, read_source
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import HeadConfig, ImageConfig, ModelConfig, StackConfig

IMAGE = ImageConfig(height=32, width=32, patch_height=8, patch_width=8)
CONFIG = ModelConfig(0, 17, 8, encoder=StackConfig(1, 2, 8), image=IMAGE, head=HeadConfig("hidden"))


@pytest.fixture
def photo(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (50, 71, 3), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def save_preprocessing(folder, values):
    (folder / "preprocessor_config.json").write_text(json.dumps(values, default=int))


@pytest.mark.parametrize(
    "processor",
    [
        ViTImageProcessorPil(size={"height": 32, "width": 32}),
        ViTImageProcessorPil(size={"height": 32, "width": 32}, resample=3, image_mean=[0.1, 0.2, 0.3]),
        DeiTImageProcessorPil(size={"height": 40, "width": 40}, crop_size={"height": 32, "width": 32}),
        DeiTImageProcessorPil(size={"shortest_edge": 41}, crop_size={"height": 32, "width": 32}, resample=2),
    ],
    ids=["resized", "bicubic with means", "cropped", "shorter side, cropped"],
)
def test_pixels_are_those_of_the_outside_processor(tmp_path, photo, processor):
    save_preprocessing(tmp_path, processor.to_dict())
    expected = processor(Image.open(photo), return_tensors="np")["pixel_values"]
    pixels = read_picture(photo, IMAGE, tmp_path).pixels
    assert (pixels.dtype, tuple(pixels.shape)) == (torch.float32, (1, 3, 32, 32))
    assert np.abs(pixels.numpy() - expected).max() < 1e-5


def test_without_a_file_pictures_become_what_vit_was_trained_on(tmp_path, photo):
    expected = ViTImageProcessorPil(size={"height": 32, "width": 32})(Image.open(photo), return_tensors="np")
    assert np.abs(read_picture(photo, IMAGE, tmp_path).pixels.numpy() - expected["pixel_values"]).max() < 1e-5


def test_palette_and_transparency_become_colours(tmp_path, photo):
    for mode in ("P", "LA", "RGBA", "L"):
        Image.open(photo).convert(mode).save(tmp_path / "other.png")
        assert read_picture(tmp_path / "other.png", IMAGE, tmp_path).pixels.isfinite().all()


@pytest.mark.parametrize("content", [b"", b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_file_that_is_no_picture_is_refused(tmp_path, content):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(RequestError, match=r"broken\.png is no picture"):
        read_picture(tmp_path / "broken.png", IMAGE, tmp_path)


def test_cut_picture_is_refused(tmp_path, photo):
    raw = photo.read_bytes()
    (tmp_path / "cut.png").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(RequestError, match=r"cut\.png is no picture"):
        read_picture(tmp_path / "cut.png", IMAGE, tmp_path)


def test_picture_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path, photo, monkeypatch):
    monkeypatch.setattr(picture, "PIXEL_LIMIT", 1000)
    with pytest.raises(RequestError, match="71 × 50 pixels; at most 1,000"):
        read_picture(photo, IMAGE, tmp_path)


def test_whatever_bytes_somebody_makes_up_are_a_picture_or_are_refused(tmp_path, photo):
    """A camera's notes with a false length ended the decoder with an error that nobody had thought of."""
    generator, exif, files = random.Random(0), Image.Exif(), []
    exif[0x0112], exif[0x010E] = 6, "a camera's note"
    for kind, options in (("PNG", {"exif": exif}), ("JPEG", {"exif": exif}), ("WEBP", {}), ("GIF", {}), ("BMP", {})):
        Image.open(photo).save(tmp_path / "whole", kind, **options)
        files.append((tmp_path / "whole").read_bytes())
    for _ in range(1500):
        content = bytearray(generator.choice(files))
        for _ in range(generator.choice((1, 3, 20))):
            content[generator.randrange(200)] = generator.choice((0, 255, generator.randrange(256)))
        (tmp_path / "made up").write_bytes(content)
        with contextlib.suppress(RequestError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert read_picture(tmp_path / "made up", IMAGE, tmp_path).pixels.isfinite().all()


def test_picture_stands_upright_as_its_camera_meant_it(tmp_path, photo):
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as upright:
        upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    turned, upright_ = (read_picture(file, IMAGE, tmp_path) for file in (tmp_path / "turned.png", photo))
    assert (turned.seen_YXC == upright_.seen_YXC).all()


def test_picture_that_is_too_long_for_its_width_is_refused_before_it_is_resized(tmp_path):
    save_preprocessing(tmp_path, {"size": {"shortest_edge": 32}, "do_center_crop": True, "crop_size": 32})
    Image.new("RGB", (1, 60_000)).save(tmp_path / "thread.png")
    with pytest.raises(RequestError, match="too long for its width"):
        read_picture(tmp_path / "thread.png", IMAGE, tmp_path)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"do_normalize": False}, "do_normalize"),
        ({"size": {"height": 16, "width": 16}}, "16 × 16"),
        ({"size": {"shortest_edge": 32}}, "32 × 32"),
        ({"size": "large"}, "size"),
        ({"resample": 17}, "resample"),
        ({"image_mean": [0.5]}, "image_mean"),
        ({"image_std": [0, 0, 0]}, "image_std"),
        ({"rescale_factor": "half"}, "rescale_factor"),
    ],
)
def test_preprocessing_that_cannot_be_done_is_refused_by_name(tmp_path, photo, values, named):
    save_preprocessing(tmp_path, values)
    with pytest.raises(CheckpointError, match=named):
        read_picture(photo, IMAGE, tmp_path)


def test_pixels_come_from_a_file_of_numbers_only(tmp_path):
    np.save(tmp_path / "pixels.npy", np.zeros((1, 3, 32, 32), dtype=np.float64))
    assert read_pixels(tmp_path / "pixels.npy").dtype == torch.float32
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    np.save(tmp_path / "whole.npy", np.zeros(3, dtype=np.int64))
    (tmp_path / "text.npy").write_text("1 2 3")
    for name in ("objects", "whole", "text"):
        with pytest.raises(RequestError, match=f"{name}.npy"):
            read_pixels(tmp_path / f"{name}.npy")


def test_patches_are_named_by_row_and_column():
    patches = read_source(TraceRequest(pixels=torch.zeros(1, 3, 32, 32)), CONFIG, None)
    assert patches.texts[:6] == ["class", "1,1", "1,2", "1,3", "1,4", "2,1"]
    assert (len(patches), sum(patches.special)) == (17, 1)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (TraceRequest(text="hello"), "image_needed"),
        (TraceRequest(pixels=torch.zeros(1, 3, 32, 31)), "wrong_pixels"),
        (TraceRequest(pixels=torch.zeros(1, 3, 32, 32, dtype=torch.int64)), "wrong_pixels"),
        (TraceRequest(pixels=torch.full((1, 3, 32, 32), torch.nan)), "wrong_pixels"),
    ],
)
def test_what_is_no_picture_for_this_model_is_refused(request_, code):
    with pytest.raises(RequestError) as refused:
        read_source(request_, CONFIG, None)
    assert refused.value.code == code


def test_model_of_texts_takes_no_picture():
    config = ModelConfig(9, 9, 8, decoder=StackConfig(1, 2, 8))
    with pytest.raises(RequestError, match="reads text, not pictures"):
        read_source(TraceRequest(pixels=torch.zeros(1, 3, 32, 32)), config, None)
