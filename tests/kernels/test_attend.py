"""attend against float64: every mask, odd lengths, rows that see no key, and its gradients."""

import importlib
from dataclasses import replace
from functools import cache

import pytest
import torch

from kernels import dispatch
from kernels.spec.attention import LEARNED
from tests.kernels import float64
from tests.kernels.cases import CASES, Case, in_dtype

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)
BOTH = pytest.mark.parametrize("implementation", ["cpu", "reference"])

# Absolute, for outputs of order 1 and log-sum-exps of order 10.
TOLERANCE = {torch.float32: 5e-6, torch.float16: 4e-3, torch.bfloat16: 3e-2}


@EVERY_CASE
@BOTH
def test_output_and_lse_are_those_of_float64(case: Case, implementation: str, poisoned_memory: None) -> None:
    attended = dispatch.attend(*case.operands, case.spec, implementation=implementation)
    assert_close(attended.out, case.truth.out)
    assert_close(attended.lse, case.truth.lse)
    assert attended.implementation == implementation
    assert attended.lse.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "name", ["causal", "softcap", "causal, padded keys", "cross attention", "relative keys", "additive"]
)
def test_half_precision_is_close_to_float64_of_the_same_operands(name: str, dtype: torch.dtype) -> None:
    case = in_dtype(name, dtype)
    attended = dispatch.attend(*case.operands, case.spec)
    assert attended.out.dtype == dtype and attended.lse.dtype == torch.float32
    assert_close(attended.out, case.truth.out)
    assert_close(attended.lse, case.truth.lse, torch.float16)


@EVERY_CASE
@BOTH
def test_gradients_are_those_of_float64(case: Case, implementation: str) -> None:
    ours = [x.detach().clone().requires_grad_() for x in case.operands]
    (dispatch.attend(*ours, case.spec, implementation=implementation).out * towards(case)).sum().backward()
    for our, truth in zip(ours, true_gradients(case), strict=True):
        torch.testing.assert_close(our.grad.double(), truth, atol=2e-5, rtol=1e-5)


@cache
def true_gradients(case: Case) -> list[torch.Tensor]:
    truths = [x.detach().double().requires_grad_() for x in case.operands]
    (float64.attention(*truths, case.spec).out * towards(case)).sum().backward()
    return [x.grad for x in truths]


def towards(case: Case) -> torch.Tensor:
    return torch.randn(case.truth.out.shape, generator=torch.Generator().manual_seed(1))


LEARN = {*LEARNED, "head_gate"}


@pytest.mark.parametrize("case", [case for case in CASES if case.spec.used & LEARN], ids=str)
@BOTH
def test_gradients_of_learned_fields_are_those_of_float64(case: Case, implementation: str) -> None:
    """They flow even where q, k and v learn nothing."""
    names = case.spec.used & LEARN
    ours, truths = ({name: getattr(case.spec, name).clone().requires_grad_() for name in names} for _ in range(2))
    attended = dispatch.attend(*case.operands, replace(case.spec, **ours), implementation=implementation)
    (attended.out * towards(case)).sum().backward()
    (float64.attention(*case.operands, replace(case.spec, **truths)).out * towards(case)).sum().backward()
    for name in names:
        torch.testing.assert_close(ours[name].grad, truths[name].grad, atol=5e-5, rtol=1e-4)


@pytest.mark.parametrize("masks", [{}, {"causal": True, "window": 9}], ids=["fused", "chunked"])
def test_operands_may_lie_in_memory_as_they_like(masks: dict) -> None:
    """torch's fused kernel reads a head's width as contiguous, and answers nonsense where it is not."""
    case = Case("strides", 63, 63, masks=masks)
    widths_apart = [x.transpose(2, 3).contiguous().transpose(2, 3) for x in case.operands]
    assert_close(dispatch.attend(*widths_apart, case.spec).out, case.truth.out)


@pytest.mark.parametrize(
    "masks",
    [
        {},
        {"window": 9},
        {"key_starts": [5]},
        {"window": 9, "key_starts": [5], "key_lengths": [70]},
        {"alibi_slopes": [0.5, 0.25, 0.125, 0.0625], "sinks": [0.0, 1.0, -1.0, 2.0], "window": 9},
    ],
    ids=lambda masks: ", ".join(masks) or "causal",
)
def test_one_query_row_takes_the_fused_kernel(masks: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """In chunks, a step of decoding took eight times as long at 160 keys."""
    monkeypatch.setattr(importlib.import_module("kernels.cpu.attend"), "Chunked", None)
    case = Case("decoding", 1, 80, heads=4, groups=2, masks={"causal": True} | masks)
    assert_close(dispatch.attend(*case.operands, case.spec).out, case.truth.out)
    assert_close(dispatch.decode(*case.operands, case.spec).out, case.truth.out)


def test_chunks_of_rows_make_one_whole() -> None:
    """Longer than a chunk, so that causal bounds, their rounding and the seams are all crossed."""
    case = Case("seams", 700, 700, heads=2, groups=1, masks={"causal": True, "softcap": 20.0})
    operands = [x.requires_grad_() for x in case.operands]
    doubles = [x.detach().double().requires_grad_() for x in operands]
    attended = dispatch.attend(*operands, case.spec)
    truth = dispatch.attend(*doubles, case.spec, implementation="reference")
    assert_close(attended.out, truth.out)
    assert_close(attended.lse, truth.lse)
    attended.out.square().sum().backward()
    truth.out.square().sum().backward()
    for our, true in zip(operands, doubles, strict=True):
        torch.testing.assert_close(our.grad.double(), true.grad, atol=2e-5, rtol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    case = Case("large", 63, 63, masks={"causal": True, "window": 9})
    q, k, v = case.operands
    attended = dispatch.attend(300 * q, k, v, case.spec)
    truth = float64.attention(300 * q, k, v, case.spec)
    torch.testing.assert_close(attended.lse.double(), truth.lse, atol=0, rtol=1e-6)
    # A float32 score of 3000 is off by up to 2e-4, and exp passes that on.
    torch.testing.assert_close(attended.out.double(), truth.out, atol=2e-3, rtol=0)


def test_two_runs_are_bit_equal() -> None:
    for case in CASES:
        first, second = (dispatch.attend(*case.operands, case.spec) for _ in range(2))
        assert torch.equal(first.out, second.out) and torch.equal(first.lse, second.lse)


def assert_close(ours: torch.Tensor, truth: torch.Tensor, dtype: torch.dtype | None = None) -> None:
    torch.testing.assert_close(ours.double(), truth.double(), atol=TOLERANCE[dtype or ours.dtype], rtol=1e-6)
