"""What attend tells of each row in the same pass: entropy and largest probability."""

import pytest
import torch

from kernels import dispatch
from tests.kernels.cases import CASES, Case


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_rows_are_measured_as_those_of_the_float64_map(case: Case, implementation: str, poisoned_memory: None) -> None:
    attended = dispatch.attend(*case.operands, case.spec, rows=True, implementation=implementation)
    truth = case.truth.map
    assert attended.entropy is not None and attended.maximum is not None
    torch.testing.assert_close(attended.entropy.double(), -torch.xlogy(truth, truth).sum(-1), atol=5e-6, rtol=5e-6)
    torch.testing.assert_close(attended.maximum.double(), truth.amax(-1), atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(attended.out.double(), case.truth.out, atol=5e-6, rtol=1e-6)
    torch.testing.assert_close(attended.lse.double(), case.truth.lse, atol=5e-6, rtol=1e-6)


def test_rows_are_measured_only_if_asked_for() -> None:
    case = CASES[1]
    attended = dispatch.attend(*case.operands, case.spec)
    assert attended.entropy is None and attended.maximum is None


def test_rows_of_large_scores_have_their_entropy() -> None:
    """Scores of 3000 leave one key in a row, or two that are the same."""
    case = Case("large", 64, 64, width=8)
    q, k, v = case.operands
    k = k.clone()
    k[:, :, 32:] = k[:, :, :32]
    attended = dispatch.attend(300 * q, k, v, case.spec, rows=True)
    assert attended.entropy is not None and attended.maximum is not None
    twins = attended.entropy.median()
    torch.testing.assert_close(twins, torch.tensor(2.0).log(), atol=1e-4, rtol=0)
    assert attended.maximum.max() <= 0.5 + 1e-4 and not attended.entropy.isnan().any()


def test_measures_of_rows_come_beside_gradients() -> None:
    case = next(case for case in CASES if case.name == "causal")
    operands = [x.clone().requires_grad_() for x in case.operands]
    attended = dispatch.attend(*operands, case.spec, rows=True)
    attended.out.sum().backward()
    assert attended.entropy is not None and not attended.entropy.requires_grad
    assert all(x.grad is not None for x in operands)
