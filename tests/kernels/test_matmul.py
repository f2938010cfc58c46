"""Which library multiplies on this CPU is measured, and only float32's own accuracy may win."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from kernels.cpu import matmul, scores
from kernels.cpu.matmul import Backend, fastest_exact, matmul_backend, onednn_linear, onednn_pack

ONEDNN, TORCH = Backend("onednn", "said by a test"), Backend("torch", "said by a test")


@pytest.fixture
def fresh_choice() -> Iterator[None]:
    matmul._fastest_for.cache_clear()
    yield
    matmul._fastest_for.cache_clear()


def test_matrix_products_are_the_same_through_both(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.randn(1, 600, 64), torch.randn(1, 600, 64)
    monkeypatch.setattr(scores, "score_backend", lambda: ONEDNN)
    through_onednn = scores.gemm(a, b, torch.empty(600 * 600))
    monkeypatch.setattr(scores, "score_backend", lambda: TORCH)
    torch.testing.assert_close(scores.gemm(a, b, torch.empty(600 * 600)), through_onednn, atol=1e-4, rtol=1e-5)


def test_onednn_gets_its_second_operand_contiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    """With keys as a projection leaves them, heads after tokens, one product took 474 ms instead of 0.4."""
    seen = []

    def product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        seen.append(b.is_contiguous())
        return a @ b.T

    monkeypatch.setattr(scores, "score_backend", lambda: ONEDNN)
    monkeypatch.setattr(scores, "onednn_linear", product)
    q, k = (torch.randn(1, 600, 4, 16).transpose(1, 2) for _ in range(2))
    scores.gemm(q[:, 1], k[:, 1], torch.empty(0))
    assert seen == [True]


def test_torch_without_the_private_operators_multiplies_itself(
    monkeypatch: pytest.MonkeyPatch, fresh_choice: None
) -> None:
    def moved(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", moved)
    assert matmul_backend(1).name == "torch"
    assert "no operator" in matmul_backend(1).reason


@pytest.mark.parametrize(("onednn_s", "chosen"), [(0.9e-3, "torch"), (0.5e-3, "onednn")])
def test_scores_go_through_onednn_only_if_it_is_clearly_faster(
    onednn_s: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where both are as fast, it is the slower in use: it asks for new memory each time."""

    passed_s = 0.0

    def takes(seconds: float, product: torch.Tensor) -> torch.Tensor:
        nonlocal passed_s
        passed_s += seconds
        return product

    monkeypatch.setattr(matmul, "time", SimpleNamespace(perf_counter=lambda: passed_s))
    monkeypatch.setattr(scores, "onednn_answers", lambda: True)
    monkeypatch.setattr(scores, "TIMED", (4, 4, 4))
    monkeypatch.setattr(scores, "onednn_linear", lambda a, b: takes(onednn_s, a @ b.T))
    monkeypatch.setattr(torch, "mm", lambda a, b, out: takes(1e-3, a @ b))
    assert scores.score_backend.__wrapped__().name == chosen


def test_reason_tells_the_time_of_both(fresh_choice: None) -> None:
    if matmul.onednn_answers():
        for rows in (1, 1024):
            assert "onednn" in matmul_backend(rows).reason
            assert "torch" in matmul_backend(rows).reason


def test_few_rows_and_many_are_measured_apart(monkeypatch: pytest.MonkeyPatch, fresh_choice: None) -> None:
    """On a CPU with AVX2 oneDNN made 32 rows 1.4 times as fast as MKL, and 512 rows a tenth slower."""
    monkeypatch.setattr(matmul, "onednn_answers", lambda: True)
    measured = []

    def by_rows(routes: dict, exact: torch.Tensor) -> tuple[str, str]:
        measured.append(exact.shape[0])
        return ("onednn" if exact.shape[0] == matmul.FEW else "torch"), "said by a test"

    monkeypatch.setattr(matmul, "fastest_exact", by_rows)
    assert [matmul_backend(rows).name for rows in (1, 64, 512, 2048, 32)] == [
        *("onednn", "onednn", "torch", "torch", "onednn")
    ]
    assert measured == [matmul.FEW, matmul.MANY]


def test_rounded_products_do_not_win_however_fast_they_are() -> None:
    exact = torch.randn(512, 512, dtype=torch.float64)
    single, rounded = exact.float(), exact.bfloat16().float()
    name, reason = fastest_exact({"slow": lambda: single.exp().log_() * 0 + single, "fast": lambda: rounded}, exact)
    assert name == "slow"
    assert "fast not exact (" in reason


@pytest.mark.parametrize("kept_bits", [10, 7])
def test_products_of_rounded_factors_are_told_from_float32s(kept_bits: int) -> None:
    """TF32 keeps 10 bits of a factor, bfloat16 7; float32 summed one after the other is still float32."""
    a, b = torch.randn(64, 768), torch.randn(768, 64)
    exact = a.double() @ b.double()
    lost = 23 - kept_bits
    short_a, short_b = ((x.view(torch.int32) >> lost << lost).view(torch.float32) for x in (a, b))
    in_turn = torch.zeros(64, 64)
    for place in range(768):
        in_turn += a[:, place : place + 1] * b[place]
    assert (in_turn - exact).abs().max() / exact.abs().max() < matmul.FLOAT32_ERROR
    assert (short_a @ short_b - exact).abs().max() / exact.abs().max() > 10 * matmul.FLOAT32_ERROR


@pytest.mark.parametrize(("outputs", "inputs"), [(1, 1), (7, 5), (63, 129), (768, 257)])
@pytest.mark.parametrize("rows", [1, 3, 65])
def test_packed_weight_multiplies_and_unpacks_exactly(rows: int, outputs: int, inputs: int) -> None:
    if not matmul.onednn_answers():
        pytest.skip("this torch has no operator for oneDNN's linear layer")
    x, weight, bias = torch.randn(2, rows, inputs), torch.randn(outputs, inputs), torch.randn(outputs)
    packed = onednn_pack(weight)
    exact = x.double() @ weight.double().t() + bias.double()
    error = (onednn_linear(x, packed, bias) - exact).abs().max() / exact.abs().max()
    assert error < matmul.FLOAT32_ERROR
    assert torch.equal(packed.to_dense(), weight)
