"""map_summary against map_pool's maxima and map_stats, which have truths of their own."""

import pytest
import torch

from kernels import dispatch
from kernels.spec import Summary
from tests.kernels.cases import CASES, Case
from tests.kernels.test_map_pool import pool_of
from tests.kernels.test_map_stats import stats_of, token_ids


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cell", [1, 4, 512])
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_summary_is_the_maxima_and_the_measures(
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


def summary_of(case: Case, cell: int, implementation: str | None = None) -> Summary:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    return dispatch.map_summary(q, k, lse, case.spec, cell, token_ids(case), implementation=implementation)
