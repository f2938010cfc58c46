"""The Triton kernels against float64: on CUDA where there is one, else under Triton's interpreter."""

import pytest
import torch

from kernels import dispatch, flash_forward, map_pool, map_tile
from kernels.scores import Blocks
from tests.kernels.cases import BANDS, CASES, Case, in_dtype
from tests.kernels.conftest import RunTriton
from tests.kernels.test_map_pool import pool_by_hand

KNOWN = [case for case in BANDS if dispatch.chosen("cuda", "attend", case.spec).implementation == "triton"]
EVERY_CASE = pytest.mark.parametrize("case", KNOWN, ids=str)
SMALL = Blocks(32, 32)  # so that a case of 129 tokens has edges, an interior and a ragged end


@EVERY_CASE
def test_forward_is_that_of_float64(case: Case, run_triton: RunTriton) -> None:
    out, lse = run_triton(flash_forward.attend, *case.operands, case.spec, blocks=SMALL)
    torch.testing.assert_close(out.double(), case.truth.out, atol=5e-6, rtol=0)
    torch.testing.assert_close(lse.double(), case.truth.lse, atol=5e-6, rtol=1e-6)


@pytest.mark.parametrize("name", ["causal, padded keys", "softcap, causal window"])
def test_forward_in_half_precision_is_close_to_float64(name: str, run_triton: RunTriton) -> None:
    case = in_dtype(name, torch.float16)
    out, lse = run_triton(flash_forward.attend, *case.operands, case.spec, blocks=SMALL)
    assert out.dtype == torch.float16 and lse.dtype == torch.float32
    torch.testing.assert_close(out.double(), case.truth.out, atol=4e-3, rtol=0)
    torch.testing.assert_close(lse.double(), case.truth.lse, atol=1e-4, rtol=1e-5)


@EVERY_CASE
def test_tile_is_that_part_of_the_map(case: Case, run_triton: RunTriton) -> None:
    rows, cols = range(case.queries // 3, case.queries), range(case.keys // 4, case.keys)
    heads = [case.heads - 1, 0]
    q, k, _ = case.operands
    lse = case.truth.lse.float()
    tile = run_triton(map_tile.map_tile, q, k, lse, case.spec, rows, cols, heads, blocks=SMALL)
    truth = case.truth.map[:, heads, rows.start : rows.stop, cols.start : cols.stop]
    torch.testing.assert_close(tile.double(), truth, atol=2e-6, rtol=1e-6)


@EVERY_CASE
@pytest.mark.parametrize("cell", [4, 64])
def test_cells_are_those_of_the_float64_map(case: Case, cell: int, run_triton: RunTriton) -> None:
    """A cell smaller than a tile and one larger; the regions begin in the middle where there is one."""
    rows = range(case.queries // 2 // cell * cell, case.queries)
    cols = range(case.keys // 2 // cell * cell, case.keys)
    q, k, _ = case.operands
    lse = case.truth.lse.float()
    pooled = run_triton(map_pool.map_pool, q, k, lse, case.spec, cell, rows, cols, blocks=SMALL)
    for ours, truth in zip(pooled, pool_by_hand(case, cell, rows, cols), strict=True):
        torch.testing.assert_close(ours.double(), truth, atol=2e-6, rtol=1e-6)


def test_cells_of_the_whole_map_are_all_written(run_triton: RunTriton) -> None:
    case = next(case for case in CASES if case.name == "window")
    whole = range(case.queries), range(case.keys)
    q, k, _ = case.operands
    pooled = run_triton(map_pool.map_pool, q, k, case.truth.lse.float(), case.spec, 16, *whole, blocks=SMALL)
    for ours, truth in zip(pooled, pool_by_hand(case, 16, *whole), strict=True):
        torch.testing.assert_close(ours.double(), truth, atol=2e-6, rtol=1e-6)


def test_float64_is_refused(run_triton: RunTriton) -> None:
    x = torch.zeros(1, 1, 4, 8, dtype=torch.float64)
    with pytest.raises(ValueError, match="'triton' takes float16, bfloat16 or float32"):
        run_triton(flash_forward.attend, x, x, x, CASES[0].spec)
