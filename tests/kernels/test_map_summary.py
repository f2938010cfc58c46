"""map_summary against map_pool's maxima, map_stats and the float64 map, which have truths of their own."""

import pytest
import torch

from kernels import dispatch
from kernels.spec import NEAR, Summary
from tests.kernels.cases import CASES, Case
from tests.kernels.test_map_pool import pool_of
from tests.kernels.test_map_stats import stats_of, token_ids


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cell", [1, 4, 512])
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_summary_is_the_maxima_the_measures_the_columns_and_what_is_near(
    case: Case, cell: int, implementation: str, poisoned_memory: None
) -> None:
    assert_same(case, cell, implementation)


@pytest.mark.parametrize("cell", [1, 2, 64, 256, 1024])
@pytest.mark.parametrize(("queries", "keys"), [(600, 600), (300, 1500)])
def test_cells_smaller_and_larger_than_a_chunk(cell: int, queries: int, keys: int) -> None:
    assert_same(Case("long", queries, keys, heads=4, groups=2, masks={"causal": True, "window": 200}), cell)


@pytest.mark.parametrize("cell", [0, 3])
def test_cell_that_is_no_power_of_two_is_refused(cell: int) -> None:
    with pytest.raises(ValueError, match="power of two"):
        summary_of(Case("cells", 20, 20), cell)


def assert_same(case: Case, cell: int, implementation: str | None = None) -> None:
    summary = summary_of(case, cell, implementation)
    maximum, measures = pool_of(case, cell, implementation="reference").maximum, stats_of(case, token_ids(case))
    torch.testing.assert_close(summary.maximum, maximum.float(), atol=2e-6, rtol=1e-5)
    assert summary.measures.keys() == measures.keys()
    for name in measures:
        torch.testing.assert_close(summary.measures[name], measures[name], atol=5e-6, rtol=2e-5)
    torch.testing.assert_close(summary.received, case.truth.map.sum(-2).float(), atol=1e-5, rtol=2e-5)
    torch.testing.assert_close(summary.near, near_by_hand(case).float(), atol=2e-6, rtol=1e-5)


def near_by_hand(case: Case) -> torch.Tensor:
    shift = case.keys - case.queries if case.spec.positional else 0
    near = torch.zeros(case.batch, case.heads, case.queries, 2 * NEAR + 1, dtype=torch.float64)
    for i in range(case.queries):
        for offset in range(-NEAR, NEAR + 1):
            if 0 <= i + shift + offset < case.keys:
                near[:, :, i, NEAR + offset] = case.truth.map[:, :, i, i + shift + offset]
    return near


def summary_of(case: Case, cell: int, implementation: str | None = None) -> Summary:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    return dispatch.map_summary(q, k, lse, case.spec, cell, token_ids(case), implementation=implementation)
