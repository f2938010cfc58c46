"""Levels of a pooled map nest: each follows from the one before it, whatever the mask."""

import pytest
import torch

from kernels import dispatch
from kernels.spec import Pooled
from tests.kernels.cases import CASES, Case
from tests.kernels.test_map_pool import pool_of

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)


@EVERY_CASE
@pytest.mark.parametrize("cell", [1, 8, 128])
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_pairs_are_those_that_float64_sees(case: Case, cell: int, implementation: str) -> None:
    q, k, _ = case.operands
    pairs = dispatch.visible_pairs(q, k, case.spec, cell, implementation=implementation)
    seen = torch.nn.functional.pad(case.truth.visible, (0, -case.keys % cell, 0, -case.queries % cell))
    truth = seen.unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell)).sum((-3, -1))
    assert torch.equal(pairs.expand_as(truth), truth)


@EVERY_CASE
def test_level_is_the_one_before_pooled_down(case: Case) -> None:
    q, k, _ = case.operands
    level, pairs = pool_of(case, 2), dispatch.visible_pairs(q, k, case.spec, 2)
    for cell in (4, 8, 16, 32, 64, 128, 256):
        level, pairs = dispatch.pool_down(level, pairs)
        truth = pool_of(case, cell)
        # Not to the bit: a matrix product of another shape adds in another order.
        torch.testing.assert_close(level.maximum, truth.maximum, atol=1e-6, rtol=2e-6)
        torch.testing.assert_close(level.mean, truth.mean, atol=1e-6, rtol=2e-6)
        assert torch.equal(pairs, dispatch.visible_pairs(q, k, case.spec, cell).expand_as(pairs))


def test_maxima_alone_pool_down_too() -> None:
    case = CASES[2]
    q, k, _ = case.operands
    level, _ = dispatch.pool_down(pool_of(case, 2)._replace(mean=None), dispatch.visible_pairs(q, k, case.spec, 2))
    assert level.mean is None
    torch.testing.assert_close(level.maximum, pool_of(case, 4).maximum, atol=1e-6, rtol=2e-6)


def test_pairs_of_another_level_are_refused() -> None:
    maximum = torch.zeros(1, 1, 4, 4)
    with pytest.raises(ValueError, match="pairs must count each cell"):
        dispatch.pool_down(Pooled(maximum, maximum), torch.zeros(1, 1, 2, 2).long())
