"""Attention in Triton against float64: on CUDA where there is one, else under Triton's interpreter."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from kernels import gpu
from kernels.gpu import decode, flash_backward, flash_forward
from kernels.gpu.configurations import Configuration
from tests.kernels import float64
from tests.kernels.cases import CASES, Case, in_dtype
from tests.kernels.conftest import RunTriton
from tests.kernels.test_attend import towards, true_gradients
from tests.kernels.triton_cases import SMALL, every_case, known, some_cases

FEW = Configuration(16, 32)


@every_case("attend")
def test_forward_is_that_of_float64(case: Case, run_triton: RunTriton) -> None:
    out, lse, *_ = run_triton(flash_forward.attend, *case.operands, case.spec, config=SMALL)
    assert_close(case, out, lse)


@some_cases(
    "causal",
    "more queries than keys: rows without keys",
    "softcap, causal window",
    "any bias, some of it -inf",
    "sinks, rows without keys",
    "edges knocked out",
    "global tokens of all texts",
    "t5, softcap, sinks, prefix, documents",
)
def test_forward_tells_entropy_and_maximum_of_each_row(case: Case, run_triton: RunTriton) -> None:
    _, _, entropy, maximum = run_triton(flash_forward.attend, *case.operands, case.spec, of_rows=True, config=SMALL)
    torch.testing.assert_close(
        entropy.double(), -torch.xlogy(case.truth.map, case.truth.map).sum(-1), atol=5e-6, rtol=0
    )
    torch.testing.assert_close(maximum.double(), case.truth.map.amax(-1), atol=5e-6, rtol=0)


def test_entropy_does_not_cancel_where_scores_are_large(run_triton: RunTriton) -> None:
    """The sum of p * s alone would lose six digits of the entropy here."""
    case = Case("large", 63, 63, masks={"causal": True})
    q, k, v = case.operands
    q = q + 2000 * k.mean(2, keepdim=True)
    large = replace_operands(case, q, k, v)
    _, lse, entropy, _ = run_triton(flash_forward.attend, q, k, v, case.spec, of_rows=True, config=SMALL)
    assert lse.abs().max() > 300
    truth = -torch.xlogy(large.truth.map, large.truth.map).sum(-1)
    torch.testing.assert_close(entropy.double(), truth, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["causal, padded keys", "softcap, causal window", "documents", "sinks"])
def test_forward_in_half_precision_is_close_to_float64(name: str, run_triton: RunTriton) -> None:
    case = in_dtype(name, torch.float16)
    out, lse, *_ = run_triton(flash_forward.attend, *case.operands, case.spec, config=SMALL)
    assert out.dtype == torch.float16 and lse.dtype == torch.float32
    torch.testing.assert_close(out.double(), case.truth.out, atol=4e-3, rtol=0)
    torch.testing.assert_close(lse.double(), case.truth.lse, atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("width", [24, 80, 96, 128])
def test_heads_of_any_width_are_widened_in_the_kernel_alone(width: int, run_triton: RunTriton) -> None:
    case = Case("width", 33, 47, heads=2, groups=1, width=width, masks={"causal": True})
    assert_close(case, *run_triton(flash_forward.attend, *case.operands, case.spec, config=SMALL)[:2])


FEW_ROWS = [case for case in known("attend") if case.queries * case.heads // case.groups <= 40]


@pytest.mark.parametrize("case", FEW_ROWS, ids=str)
def test_split_keys_give_what_whole_rows_do(case: Case, run_triton: RunTriton) -> None:
    out, lse, *_ = run_triton(decode.attend, *case.operands, case.spec, splits=3, config=FEW)
    assert_close(case, out, lse)


@pytest.mark.parametrize("splits", [None, 1, 2, 9])
def test_keys_may_be_split_in_any_number(splits: int | None, run_triton: RunTriton) -> None:
    """Splits that are left without keys among them."""
    case = next(case for case in CASES if case.name == "one query in a window")
    out, lse, *_ = run_triton(decode.attend, *case.operands, case.spec, splits=splits, config=FEW)
    assert_close(case, out, lse)


@every_case("attend with gradients")
def test_gradients_are_those_of_float64(case: Case, run_triton: RunTriton) -> None:
    gate = torch.ones(case.heads) if case.spec.head_gate is None else case.spec.head_gate
    gated = replace(case.spec, head_gate=None)
    d_out = towards(case) * gate[:, None, None]
    out = ungated(case).truth.out.float()
    operands = (*case.operands, case.truth.lse.float(), (d_out * out).sum(-1), d_out)
    ours = run_triton(flash_backward.backward, *operands, gated, configs=(SMALL, SMALL))
    for our, truth in zip(ours, true_gradients(case), strict=True):
        torch.testing.assert_close(our.double(), truth, atol=2e-5, rtol=1e-5)


@some_cases("sinks, window, softcap, grouped", "documents")
def test_gradients_reach_operands_and_sinks_through_autograd(case: Case, run_triton: RunTriton) -> None:
    sinks = case.spec.sinks
    ours = run_triton(differentiated, *case.operands, case.spec, towards(case))
    for our, truth in zip(ours, true_gradients(case), strict=False):
        torch.testing.assert_close(our.double(), truth, atol=2e-5, rtol=1e-5)
    if sinks is not None:
        learned = replace(case.spec, sinks=sinks.clone().requires_grad_())
        (float64.attention(*case.operands, learned).out * towards(case)).sum().backward()
        torch.testing.assert_close(ours[3], learned.sinks.grad, atol=5e-5, rtol=1e-4)


def differentiated(*operands: Any) -> tuple[torch.Tensor, ...]:
    """Gradients of q, k, v and, where there are some, sinks."""
    *qkv, spec, d_out = operands
    learned = [x.detach().requires_grad_() for x in qkv]
    if spec.sinks is not None:
        learned.append(spec.sinks.detach().requires_grad_())
        spec = replace(spec, sinks=learned[3])
    out, _ = gpu.attend(*learned[:3], spec, learns=True)
    out.backward(d_out)
    return tuple(x.grad for x in learned)


def test_gradients_in_half_precision_are_close_to_float64(run_triton: RunTriton) -> None:
    case = in_dtype("softcap, causal window", torch.float16)
    d_out = towards(case).half()
    operands = (*case.operands, case.truth.lse.float(), (d_out * case.truth.out).sum(-1).float(), d_out)
    ours = run_triton(flash_backward.backward, *operands, case.spec, configs=(SMALL, SMALL))
    for our, truth in zip(ours, true_gradients(case), strict=True):
        assert our.dtype == torch.float16
        torch.testing.assert_close(our.double(), truth, atol=4e-3, rtol=4e-3)


def test_operands_in_a_buffer_of_nan_are_read_within_their_bounds(run_triton: RunTriton) -> None:
    case = Case("guarded", 47, 61, heads=4, groups=2, batch=2, width=24, masks={"causal": True, "window": 30})
    guarded = [in_nan(x) for x in case.operands]
    assert_close(case, *run_triton(flash_forward.attend, *guarded, case.spec, config=SMALL)[:2])
    d_out = in_nan(towards(case))
    delta = (d_out * case.truth.out).sum(-1).float()
    operands = (*guarded, case.truth.lse.float(), delta, d_out)
    for our, truth in zip(
        run_triton(flash_backward.backward, *operands, case.spec, configs=(SMALL, SMALL)),
        true_gradients(case),
        strict=True,
    ):
        torch.testing.assert_close(our.double(), truth, atol=2e-5, rtol=1e-5)


def test_two_runs_are_bit_equal(run_triton: RunTriton) -> None:
    case = next(case for case in CASES if case.name == "big bird")
    first, second = (run_triton(flash_forward.attend, *case.operands, case.spec, config=SMALL)[:2] for _ in range(2))
    assert all(map(torch.equal, first, second))
    d_out = towards(case)
    operands = (*case.operands, first[1], (d_out * first[0]).sum(-1), d_out, case.spec)
    first, second = (run_triton(flash_backward.backward, *operands, configs=(SMALL, SMALL)) for _ in range(2))
    assert all(map(torch.equal, first, second))


def test_float64_and_wide_heads_are_refused(run_triton: RunTriton) -> None:
    x = torch.zeros(1, 1, 4, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match="'triton' takes float16, bfloat16 or float32"):
        run_triton(flash_forward.attend, x, x, x, CASES[0].spec)
    x = torch.zeros(1, 1, 4, 300)
    with pytest.raises(ValueError, match="heads up to 256 wide, got 300"):
        run_triton(flash_forward.attend, x, x, x, CASES[0].spec)


def assert_close(case: Case, out: torch.Tensor, lse: torch.Tensor) -> None:
    gate = 1 if case.spec.head_gate is None else case.spec.head_gate[:, None, None]
    torch.testing.assert_close((out * gate).double(), case.truth.out, atol=5e-6, rtol=0)
    torch.testing.assert_close(lse.double(), case.truth.lse, atol=5e-6, rtol=1e-6)


def replace_operands(case: Case, *operands: torch.Tensor) -> Case:
    other = replace(case)
    other.__dict__["operands"] = operands
    return other


def ungated(case: Case) -> Case:
    if case.spec.head_gate is None:
        return case
    return replace(case, masks={name: mask for name, mask in case.masks.items() if name != "head_gate"})


def in_nan(x: torch.Tensor) -> torch.Tensor:
    """The same numbers amid NaN on every side."""
    buffer = x.new_full([size + 2 for size in x.shape], torch.nan)
    inside = buffer[1:-1, 1:-1, 1:-1, 1:-1]
    inside.copy_(x)
    return inside
