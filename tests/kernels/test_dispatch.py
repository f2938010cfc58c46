"""The choice of an implementation is told, and nothing else runs in its place."""

import pytest
import torch

from kernels import cpu, dispatch
from kernels.cpu import scores
from kernels.spec import AttentionSpec


def test_cpu_is_chosen_for_tensors_there_and_names_its_matrix_products() -> None:
    choice = dispatch.chosen("cpu")
    assert choice.implementation == "cpu"
    assert cpu.gemm_route() in choice.reason


@pytest.mark.parametrize(
    ("operation", "implementation"),
    [
        ("attend", "triton"),
        ("attend with gradients", "torch"),
        ("map_tile", "triton"),
        ("map_pool", "triton"),
        ("map_stats", "torch"),
    ],
)
def test_cuda_takes_triton_where_there_is_a_kernel_and_says_where_not(
    operation: dispatch.Operation, implementation: str
) -> None:
    choice = dispatch.chosen("cuda", operation)
    assert choice.implementation == implementation
    assert (operation in choice.reason) == (implementation == "torch")


@pytest.mark.parametrize("implementation", ["triton", "torch", "abacus"])
def test_implementation_that_cannot_run_here_is_refused(implementation: dispatch.Implementation) -> None:
    x = torch.zeros(1, 1, 4, 8)
    with pytest.raises(ValueError, match="does not run attend on cpu"):
        dispatch.attend(x, x, x, AttentionSpec(1.0), implementation=implementation)


def test_matrix_products_are_the_same_without_onednn(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = torch.randn(1, 600, 64), torch.randn(1, 600, 64)
    through_onednn = scores._gemm(a, b)
    monkeypatch.setattr(scores, "gemm_route", lambda: "matmul")
    torch.testing.assert_close(scores._gemm(a, b), through_onednn, atol=1e-4, rtol=1e-5)


def test_onednn_gets_its_second_operand_contiguous(monkeypatch: pytest.MonkeyPatch) -> None:
    """With keys as a projection leaves them, heads after tokens, one product took 474 ms instead of 0.4."""
    seen = []

    def product(a: torch.Tensor, b: torch.Tensor, *_: object) -> torch.Tensor:
        seen.append(b.is_contiguous())
        return a @ b.T

    monkeypatch.setattr(scores, "gemm_route", lambda: "onednn")
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", product)
    q, k = (torch.randn(1, 600, 4, 16).transpose(1, 2) for _ in range(2))
    scores._gemm(q[:, 1], k[:, 1])
    assert seen == [True]


def test_torch_without_the_private_operator_takes_plain_products(monkeypatch: pytest.MonkeyPatch) -> None:
    def moved(*_: object) -> None:
        raise RuntimeError("no such operator")

    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", moved)
    scores.gemm_route.cache_clear()
    try:
        assert cpu.gemm_route() == "matmul"
    finally:
        scores.gemm_route.cache_clear()
