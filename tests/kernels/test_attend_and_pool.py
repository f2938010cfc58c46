"""attend_and_pool against the float64 map, and against attend and map_pool one after the other."""

import pytest
import torch

from kernels import dispatch
from kernels.cpu.chunked import MODERATE
from kernels.cpu.scores import LOG2E
from kernels.spec import AttentionSpec
from kernels.spec.random_blocks import draw_random_blocks
from tests.kernels.cases import CASES, Case, bits, numbers
from tests.kernels.test_map_pool import pool_by_hand

LONG = [
    Case("causal", 700, 700, heads=4, groups=2, masks={"causal": True}),
    Case("more keys than queries", 300, 1500, masks={"causal": True, "window": 400}),
    Case("sinks and padding", 600, 700, batch=2, masks={"sinks": [1.0, 4.0], "key_lengths": [650, 3]}),
    Case("big bird", 700, 700, masks={"window": 1, "block": 32, "random_blocks": draw_random_blocks(22, 2, 7)}),
    Case("edges", 600, 600, masks={"causal": True, "edge_bias": [-torch.inf, 0.5], "edge_scale": [1.0, 2.0],
         "edge_queries": bits(1, 2, 600, sets=2), "edge_keys": bits(1, 1, 600, sets=2, seed=1)}),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("cell", [1, 4, 512])
def test_output_and_cells_are_those_of_float64(case: Case, cell: int, poisoned_memory: None) -> None:
    attended, pooled = dispatch.attend_and_pool(*case.operands, case.spec, cell)
    torch.testing.assert_close(attended.out.double(), case.truth.out, atol=5e-6, rtol=1e-6)
    torch.testing.assert_close(attended.lse.double(), case.truth.lse, atol=5e-6, rtol=1e-6)
    for ours, truth in zip(pooled, pool_by_hand(case, cell, range(case.queries), range(case.keys)), strict=True):
        torch.testing.assert_close(ours.double(), truth, atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("case", LONG, ids=str)
@pytest.mark.parametrize("cell", [2, 64, 1024])
def test_long_texts_are_those_of_the_reference(case: Case, cell: int) -> None:
    """Cells smaller and larger than a chunk, and chunks whose keys lie in several runs."""
    ours, truth = (dispatch.attend_and_pool(*case.operands, case.spec, cell, implementation=name)
                   for name in ("cpu", "reference"))  # fmt: skip
    torch.testing.assert_close(ours[0].out, truth[0].out, atol=5e-6, rtol=1e-5)
    torch.testing.assert_close(ours[0].lse, truth[0].lse, atol=1e-5, rtol=1e-6)
    for our, true in zip(ours[1], truth[1], strict=True):
        torch.testing.assert_close(our, true, atol=3e-6, rtol=2e-5)


def test_two_runs_are_bit_equal() -> None:
    for case in LONG:
        (first, first_cells), (second, second_cells) = (
            dispatch.attend_and_pool(*case.operands, case.spec, 16) for _ in range(2)
        )
        assert torch.equal(first.out, second.out) and torch.equal(first.lse, second.lse)
        assert torch.equal(first_cells.maximum, second_cells.maximum)
        assert torch.equal(first_cells.mean, second_cells.mean)


def test_cell_that_is_no_power_of_two_is_refused() -> None:
    with pytest.raises(ValueError, match="power of two"):
        dispatch.attend_and_pool(*CASES[1].operands, CASES[1].spec, 3)


@pytest.mark.parametrize("furthest", [60, MODERATE - 1, MODERATE + 1, 400])
@pytest.mark.parametrize("sign", [1, -1])
def test_scores_far_from_zero_lose_nothing(furthest: float, sign: int) -> None:
    """Nothing is taken off them up to MODERATE: rows of nothing but 2 ** -99 still are rows with keys."""
    v, direction, noise = numbers(1, 2, 70, 16), numbers(16), numbers(2, 1, 2, 70, 16, seed=1)
    q, k = (x / x.norm(dim=-1, keepdim=True) for x in direction + 0.05 * noise)
    q, spec = sign * q, AttentionSpec(furthest / LOG2E, causal=True)
    ours, cells = dispatch.attend_and_pool(q, k, v, spec, 4, implementation="cpu")
    doubles = (x.double() for x in (q, k, v))
    truth, true_cells = dispatch.attend_and_pool(*doubles, spec, 4, implementation="reference")
    # A float32 score keeps 24 bits, however large it is; exp passes its rounding on.
    allowed = {"atol": 2e-7 * furthest, "rtol": 1e-6}
    torch.testing.assert_close(ours.lse.double(), truth.lse, **allowed)
    torch.testing.assert_close(ours.out.double(), truth.out, **allowed)
    for our, true in zip(cells, true_cells, strict=True):
        torch.testing.assert_close(our.double(), true.double(), **allowed)
