"""map_pool against float64 pooling of the whole map, at every kind of cell and region."""

from functools import cache

import pytest
import torch

from kernels import dispatch
from kernels.spec import Pooled
from tests.kernels.cases import CASES, Case

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)


@EVERY_CASE
@pytest.mark.parametrize("cell", [1, 4, 16, 512])
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_cells_are_those_of_the_float64_map(case: Case, cell: int, implementation: str, poisoned_memory: None) -> None:
    pooled = pool_of(case, cell, implementation=implementation)
    maximum, mean = pool_by_hand(case, cell, range(case.queries), range(case.keys))
    torch.testing.assert_close(pooled.maximum.double(), maximum, atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(pooled.mean.double(), mean, atol=2e-6, rtol=1e-6)


@EVERY_CASE
def test_region_is_pooled_like_the_whole(case: Case) -> None:
    rows, cols = range(case.queries // 8 * 4, case.queries), range(case.keys // 8 * 4, case.keys)
    pooled = pool_of(case, 4, rows, cols)
    maximum, mean = pool_by_hand(case, 4, rows, cols)
    torch.testing.assert_close(pooled.maximum.double(), maximum, atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(pooled.mean.double(), mean, atol=2e-6, rtol=1e-6)


@EVERY_CASE
def test_means_times_visible_pairs_sum_to_the_mass_of_the_map(case: Case) -> None:
    """Nothing is lost or counted twice."""
    cell = 8
    pairs = torch.nn.functional.pad(case.truth.visible, (0, -case.keys % cell, 0, -case.queries % cell))
    pairs = pairs.unflatten(-1, (-1, cell)).unflatten(-3, (-1, cell)).sum((-3, -1))
    mass = (pool_of(case, cell).mean * pairs).sum((-2, -1))
    torch.testing.assert_close(mass.double(), case.truth.map.sum((-2, -1)), atol=1e-4, rtol=0)


@EVERY_CASE
@pytest.mark.parametrize("cell", [1, 4, 512])
def test_maximum_alone_is_the_same(case: Case, cell: int, poisoned_memory: None) -> None:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    for implementation in ("cpu", "reference"):
        both = dispatch.map_pool(q, k, lse, case.spec, cell, implementation=implementation)
        alone = dispatch.map_pool(q, k, lse, case.spec, cell, mean=False, implementation=implementation)
        assert alone.mean is None
        assert torch.equal(alone.maximum, both.maximum)


@EVERY_CASE
def test_maximum_is_at_least_the_mean(case: Case) -> None:
    pooled = pool_of(case, 4)
    assert (pooled.maximum >= pooled.mean - 1e-6).all()


@pytest.mark.parametrize("cell", [2, 64, 1024])
def test_cells_smaller_and_larger_than_a_chunk(cell: int) -> None:
    case = Case("long", 1500, 4200, heads=2, groups=1, masks={"causal": True, "window": 1000})
    q, k, v = case.operands
    attended = dispatch.attend(q, k, v, case.spec)
    pooled = dispatch.map_pool(q, k, attended.lse, case.spec, cell)
    truth = dispatch.map_pool(q, k, attended.lse, case.spec, cell, implementation="reference")
    torch.testing.assert_close(pooled.maximum, truth.maximum, atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(pooled.mean, truth.mean, atol=2e-6, rtol=1e-5)


def test_two_runs_are_bit_equal() -> None:
    for case in CASES:
        first, second = (pool_of(case, 4) for _ in range(2))
        assert torch.equal(first.maximum, second.maximum) and torch.equal(first.mean, second.mean)


@pytest.mark.parametrize(
    ("cell", "rows", "cols", "complaint"),
    [
        (0, None, None, "power of two"),
        (6, None, None, "power of two"),
        (4, range(2, 20), None, "rows must start at a multiple"),
        (4, None, range(6, 30), "cols must start at a multiple"),
        (4, range(0, 24), None, "rows must be"),
        (4, None, range(0, 31), "cols must be"),
    ],
)
def test_region_that_does_not_fit_the_cells_is_refused(
    cell: int, rows: range | None, cols: range | None, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        pool_of(Case("outside", 20, 30), cell, rows, cols)


def pool_of(
    case: Case,
    cell: int,
    rows: range | None = None,
    cols: range | None = None,
    implementation: str | None = None,
) -> Pooled:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    return dispatch.map_pool(q, k, lse, case.spec, cell, rows, cols, implementation=implementation)


@cache
def pool_by_hand(case: Case, cell: int, rows: range, cols: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Cell by cell, out of the float64 map."""
    if cell == 1:
        tile = case.truth.map[..., rows.start : rows.stop, cols.start : cols.stop]
        return tile, tile
    tops, lefts = rows[::cell], cols[::cell]
    maximum = torch.zeros(case.batch, case.heads, len(tops), len(lefts), dtype=torch.float64)
    mean = torch.zeros_like(maximum)
    for r, top in enumerate(tops):
        for c, left in enumerate(lefts):
            here = (..., slice(top, min(top + cell, rows.stop)), slice(left, min(left + cell, cols.stop)))
            maximum[..., r, c] = case.truth.map[here].amax((-2, -1))
            pairs = case.truth.visible[here].sum((-2, -1))
            mean[..., r, c] = case.truth.map[here].sum((-2, -1)) / pairs.clamp(min=1)
    return maximum, mean
