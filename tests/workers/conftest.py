"""What tests of the tasks share: a small random checkpoint, and a worker process without Celery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from transformers import GPT2Config, GPT2LMHeadModel, ViTConfig, ViTForImageClassification
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from workers.protocol.jobs import Source, TraceJob
from workers.runtime.captures import Captures
from workers.runtime.engine import Engine
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.process import Process
from workers.runtime.streams import Streams


@pytest.fixture(scope="session")
def random_gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of two heads, random weights, no tokenizer."""
    torch.manual_seed(0)
    config = GPT2Config(n_layer=2, n_head=2, n_embd=16, n_positions=32, vocab_size=64, bos_token_id=0, eos_token_id=0)
    folder = tmp_path_factory.mktemp("checkpoints") / "random-gpt2"
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture
def process(broker: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Process:
    monkeypatch.setattr("workers.app.DATA", tmp_path)
    return Process(
        server=broker,
        engine=Engine("cpu"),
        captures=Captures(tmp_path / "captures"),
        streams=Streams(tmp_path / "streams"),
        heartbeat=Heartbeat(broker, "test@host", "cpu", "cpu"),
        implementation="cpu",
    )


@pytest.fixture
def job(random_gpt2: Path) -> TraceJob:
    return TraceJob(
        run="r", attempt=1, source=Source(model="random", path=str(random_gpt2)), submitted_at=0.0, ids=[5, 6, 7, 5, 6]
    )


@pytest.fixture
def expected(job: TraceJob) -> np.ndarray:
    """The map of the second head in the second layer, by transformers' eager attention."""
    model = GPT2LMHeadModel.from_pretrained(job.source.path, attn_implementation="eager").eval()
    with torch.no_grad():
        out = model(torch.tensor([job.ids]), output_attentions=True)
    return out.attentions[1][0, 1].numpy()


@pytest.fixture(scope="session")
def random_vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two layers of two heads over 2 × 3 patches, three classes with names, random weights."""
    torch.manual_seed(0)
    config = ViTConfig(
        num_hidden_layers=2,
        num_attention_heads=2,
        hidden_size=16,
        intermediate_size=32,
        image_size=[8, 12],
        patch_size=4,
        id2label={0: "cat", 1: "dog", 2: "owl"},
        label2id={"cat": 0, "dog": 1, "owl": 2},
    )
    folder = tmp_path_factory.mktemp("checkpoints") / "random-vit"
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessorPil(size={"height": 8, "width": 12}).save_pretrained(folder)
    return folder
