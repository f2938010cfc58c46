"""A trace job that names a picture: what the model read, where its patches look, what it takes the picture for."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
import torch
from PIL import Image
from transformers import ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from tests.workers.test_trace_task import published, types
from workers.protocol import pictures
from workers.protocol.events import Failed
from workers.protocol.jobs import Source, TileJob, TraceJob
from workers.runtime.answering import map_of
from workers.runtime.process import Process
from workers.tasks.trace import run_trace


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(width: int = 30, height: int = 20) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def huge_png(width: int, height: int) -> bytes:
    """The header of a PNG of any size, with next to nothing behind it."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(bytes(9))), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.fixture
def picture_job(random_vit: Path) -> TraceJob:
    source = Source(model="random-vit", path=str(random_vit))
    return TraceJob(run="r", attempt=1, source=source, submitted_at=0.0, picture="0" * 64)


def store(data: Path, job: TraceJob, content: bytes) -> TraceJob:
    return replace(job, picture=pictures.store(data, content))


def test_picture_is_told_as_the_model_reads_it(
    process: Process, picture_job: TraceJob, tmp_path: Path, random_vit: Path, broker: redis.Redis
) -> None:
    run_trace(store(tmp_path, picture_job, encoded(noise())), process)
    assert types(broker) == ["started", "picture", "tokens", "site", "site", "classes", "finished"]
    event: Any
    event, arrays = published(broker)[1]
    assert (event.rows, event.cols, event.patch, event.first) == (2, 3, [4, 4], 1)
    pixels = (np.asarray(arrays["pixels"]) * event.rescale - event.mean) / event.deviation
    expected = ViTImageProcessorPil.from_pretrained(random_vit)(noise(), return_tensors="np")["pixel_values"][0]
    assert np.abs(pixels.transpose(2, 0, 1) - expected).max() < 1e-5


def test_maps_and_classes_are_those_of_transformers(
    process: Process, picture_job: TraceJob, tmp_path: Path, random_vit: Path, broker: redis.Redis
) -> None:
    job = store(tmp_path, picture_job, encoded(noise()))
    run_trace(job, process)
    outside = ViTForImageClassification.from_pretrained(random_vit, attn_implementation="eager").eval()
    pixels = ViTImageProcessorPil.from_pretrained(random_vit)(noise(), return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        expected = outside(pixels, output_attentions=True)
    for layer, weights in enumerate(expected.attentions):
        site = TileJob(trace=job, reply="", site=f"encoder.self.{layer}", head=0, rows=(0, 7), cols=(0, 7))
        assert (map_of(site, process).tile() - weights).abs().max() < 1e-5
    event: Any
    event, arrays = published(broker)[5]
    likeliest = expected.logits[0].softmax(-1).sort(descending=True)
    assert event.texts == [outside.config.id2label[index] for index in likeliest.indices.tolist()]
    assert np.abs(np.asarray(arrays["probabilities"]) - likeliest.values.numpy()).max() < 1e-5


def test_map_of_an_evicted_picture_run_is_made_again(process: Process, picture_job: TraceJob, tmp_path: Path) -> None:
    job = store(tmp_path, picture_job, encoded(noise()))
    site = TileJob(trace=job, reply="", site="encoder.self.1", head=0, rows=(0, 7), cols=(0, 7))
    assert map_of(site, process).tile().shape == (1, 2, 7, 7)


def test_picture_of_one_pixel_is_read(
    process: Process, picture_job: TraceJob, tmp_path: Path, broker: redis.Redis
) -> None:
    run_trace(store(tmp_path, picture_job, encoded(noise(1, 1))), process)
    assert types(broker)[-1] == "finished"


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "bad_image", "This file is no picture that can be read"),
        (encoded(noise())[:900], "bad_image", "no picture that can be read"),
        (huge_png(10_000, 5_000), "image_too_large", "10,000 × 5,000 pixels; at most 40,000,000 are read"),
        (huge_png(2**31 - 1, 2**31 - 1), "image_too_large", "far more than 40,000,000"),
        (encoded(noise(), "GIF", save_all=True, append_images=[noise(30, 20).rotate(90)]), "image_moves", "one frame"),
        (encoded(noise(), "TIFF"), "bad_image", "give a PNG, JPEG"),
        (encoded(noise(), "EPS"), "bad_image", "give a PNG, JPEG"),
        (encoded(noise(), "JPEG") + b"\xff\xda" * 200, "bad_image", "in 201 passes"),
    ],
    ids=["corrupt", "cut", "50 megapixels", "endless", "animated", "wrong type", "postscript", "passes"],
)
def test_hostile_picture_is_refused_in_words(
    process: Process,
    picture_job: TraceJob,
    tmp_path: Path,
    broker: redis.Redis,
    content: bytes,
    code: str,
    says: str,
) -> None:
    run_trace(store(tmp_path, picture_job, content), process)
    last = published(broker)[-1].event
    assert isinstance(last, Failed) and last.code == code, last
    assert says in last.message and str(tmp_path) not in last.message


def test_picture_that_is_not_kept_any_more_is_said(
    process: Process, picture_job: TraceJob, broker: redis.Redis
) -> None:
    run_trace(picture_job, process)
    last = published(broker)[-1].event
    assert isinstance(last, Failed) and last.code == "picture_gone"


def test_model_of_texts_is_told_apart(process: Process, job: TraceJob, tmp_path: Path, broker: redis.Redis) -> None:
    run_trace(store(tmp_path, replace(job, ids=None), encoded(noise())), process)
    last = published(broker)[-1].event
    assert isinstance(last, Failed) and last.code == "no_image"
