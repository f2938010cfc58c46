"""Weights are read one ahead, packed when a model first reads many tokens, and lose nothing."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import torch
from transformers import GPT2LMHeadModel

from kernels.cpu.matmul import Backend, onednn_answers
from modelcore.checkpoints.read_ahead import one_ahead
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from modelcore.layers import linear
from modelcore.layers.linear import Linear
from tests.modelcore.shrunk import save_gpt2

IDS = torch.tensor([[5, 6, 7, 8, 9, 3, 2, 1]])


@pytest.fixture
def gpt2(tmp_path: Path) -> GPT2LMHeadModel:
    return save_gpt2(tmp_path)


@pytest.fixture(params=["onednn", "torch"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "onednn" and not onednn_answers():
        pytest.skip("this torch has no operator for oneDNN's linear layer")
    monkeypatch.setattr(linear, "matmul_backend", lambda rows: Backend(request.param, "said by a test"))
    monkeypatch.setattr(linear, "FEW_WEIGHTS", 0)
    return request.param


@torch.inference_mode()
def test_loaded_model_is_packed_once_it_reads_where_that_is_faster_and_computes_the_same(
    gpt2: GPT2LMHeadModel, tmp_path: Path, backend: str
) -> None:
    model = open_checkpoint(tmp_path).load()
    assert not any(layer.weight.is_mkldnn for layer in model.modules() if isinstance(layer, Linear))
    torch.testing.assert_close(model(IDS), gpt2(IDS).logits, atol=1e-5, rtol=1e-4)
    packed = [layer.weight.is_mkldnn for layer in model.modules() if isinstance(layer, Linear)]
    assert packed == [backend == "onednn"] * len(packed)
    assert not model.tokens.weight.is_mkldnn
    torch.testing.assert_close(model(IDS), gpt2(IDS).logits, atol=1e-5, rtol=1e-4)


def test_packed_model_is_saved_as_it_was_read(gpt2: GPT2LMHeadModel, tmp_path: Path, backend: str) -> None:
    model = open_checkpoint(tmp_path).load()
    model(IDS)
    save_checkpoint(tmp_path / "again", model, "gpt2")
    saved = GPT2LMHeadModel.from_pretrained(tmp_path / "again").state_dict()
    assert all(torch.equal(saved[name], value) for name, value in gpt2.state_dict().items())


def test_one_is_read_ahead_and_never_two() -> None:
    begun: list[int] = []
    second_began = threading.Event()

    def task(number: int) -> int:
        begun.append(number)
        if number == 1:
            second_began.set()
        return number

    results = one_ahead(lambda number=number: task(number) for number in range(4))  # type: ignore[misc]
    assert next(results) == 0
    assert second_began.wait(5)
    assert begun == [0, 1]
    assert list(results) == [1, 2, 3]


def test_failure_ahead_is_told_when_its_turn_comes() -> None:
    def fail() -> int:
        raise ValueError("unreadable")

    results = one_ahead([lambda: 1, fail])
    assert next(results) == 1
    with pytest.raises(ValueError, match="unreadable"):
        next(results)
