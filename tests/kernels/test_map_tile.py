"""map_tile against float64, and rectangles against the whole they are cut from."""

import itertools

import pytest
import torch

from kernels import dispatch
from kernels.spec import LogScale
from tests.kernels.cases import CASES, Case

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)


@EVERY_CASE
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
def test_tile_is_that_part_of_the_map(case: Case, implementation: str, poisoned_memory: None) -> None:
    rows, cols = range(case.queries // 3, case.queries), range(case.keys // 4, case.keys)
    tile = tile_of(case, rows, cols, implementation=implementation)
    truth = case.truth.map[..., rows.start : rows.stop, cols.start : cols.stop]
    assert tile.dtype == torch.float32
    torch.testing.assert_close(tile.double(), truth, atol=2e-6, rtol=1e-6)


@EVERY_CASE
def test_rectangles_assemble_the_whole(case: Case) -> None:
    whole = tile_of(case, range(case.queries), range(case.keys))
    row_cuts = sorted({0, case.queries // 3, case.queries // 2, case.queries})
    col_cuts = sorted({0, case.keys // 5, case.keys})
    assembled = torch.full_like(whole, torch.nan)
    for top, bottom in itertools.pairwise(row_cuts):
        for left, right in itertools.pairwise(col_cuts):
            assembled[..., top:bottom, left:right] = tile_of(case, range(top, bottom), range(left, right))
    torch.testing.assert_close(assembled, whole, atol=1e-6, rtol=1e-6)


@EVERY_CASE
def test_rows_sum_to_one_unless_they_see_no_key(case: Case) -> None:
    if case.spec.edge_scale is not None:
        pytest.skip("scaled edges are not renormalised")
    sums = tile_of(case, range(case.queries), range(case.keys)).sum(-1)
    expected = case.truth.visible.any(-1).double()
    if case.spec.sinks is not None:
        expected -= (case.spec.sinks[:, None] - case.truth.lse).exp().nan_to_num(posinf=0)
    torch.testing.assert_close(sums.double(), expected, atol=1e-5, rtol=0)


@EVERY_CASE
@pytest.mark.parametrize("implementation", ["cpu", "reference"])
@pytest.mark.parametrize("steps", [8.0, 16.0])
def test_pixels_are_off_by_half_a_step_of_the_scale(
    case: Case, implementation: str, steps: float, poisoned_memory: None
) -> None:
    q, k, v = case.operands
    lse, scale = dispatch.attend(q, k, v, case.spec).lse, LogScale(steps)
    whole = range(case.queries), range(case.keys)
    pixels = dispatch.map_tile(q, k, lse, case.spec, *whole, log_scale=scale, implementation=implementation)
    assert pixels.dtype == torch.uint8
    told, truth = scale.probabilities(pixels).double(), case.truth.map
    faintest, brightest = 2 ** (-254.5 / steps), 2 ** (0.5 / steps)
    inside = (truth > 1.01 * faintest) & (truth < brightest)
    ratio = (told[inside] / truth[inside]).log2()
    assert (ratio.abs() <= 0.5 / steps + 1e-4).all()
    assert (pixels[truth < 0.99 * faintest] == 0).all() and (pixels[truth > brightest] == 255).all()


def test_heads_come_in_the_order_asked_for() -> None:
    case = Case("heads", 20, 20, heads=4, groups=2, batch=2, masks={"causal": True, "key_lengths": [20, 7]})
    tile = tile_of(case, range(20), range(20), heads=[3, 0, 2])
    torch.testing.assert_close(tile.double(), case.truth.map[:, [3, 0, 2]], atol=2e-6, rtol=0)


@pytest.mark.parametrize(
    ("rows", "cols", "heads", "complaint"),
    [
        (range(0, 21), range(0, 20), None, "rows must be"),
        (range(-1, 5), range(0, 20), None, "rows must be"),
        (range(0, 20), range(5, 31), None, "cols must be"),
        (range(0, 20), range(7, 7), None, "cols must be"),
        (range(0, 20, 2), range(0, 20), None, "rows must be"),
        (range(0, 20), range(0, 20), [2], "heads must name"),
        (range(0, 20), range(0, 20), [-1], "heads must name"),
        (range(0, 20), range(0, 20), [], "heads must name"),
    ],
)
def test_rectangle_outside_the_map_is_refused(
    rows: range, cols: range, heads: list[int] | None, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        tile_of(Case("outside", 20, 30), rows, cols, heads=heads)


def tile_of(
    case: Case, rows: range, cols: range, heads: list[int] | None = None, implementation: str | None = None
) -> torch.Tensor:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    return dispatch.map_tile(q, k, lse, case.spec, rows, cols, heads, implementation=implementation)
