"""What tests of the tasks share: a small random checkpoint, and a worker process without Celery."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from workers.protocol.jobs import Source, TraceJob
from workers.runtime.captures import Captures
from workers.runtime.engine import Engine
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.process import Process


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
    monkeypatch.setattr("workers.tasks.trace.DATA", tmp_path)
    return Process(
        server=broker,
        engine=Engine("cpu"),
        captures=Captures(tmp_path / "captures"),
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
