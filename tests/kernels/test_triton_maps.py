"""Readings of the map in Triton against float64: on CUDA where there is one, else under Triton's interpreter."""

import torch

from kernels.gpu.map_pairs import map_pairs, map_top_keys
from kernels.gpu.map_pool import map_pool
from kernels.gpu.map_rows import map_received
from kernels.gpu.map_stats import map_stats
from kernels.gpu.map_tile import map_tile
from kernels.spec import LogScale
from tests.kernels.cases import Case
from tests.kernels.conftest import RunTriton
from tests.kernels.test_map_pool import pool_by_hand
from tests.kernels.test_map_stats import stats_by_hand, token_ids
from tests.kernels.triton_cases import SMALL, every_case, some_cases

ONE_OF_EACH_KIND = some_cases(
    "softcap, causal window",
    "more queries than keys: rows without keys",
    "left padding",
    "prefix, windowed and left padded",
    "stride and window",
    "global tokens of each text, causal",
    "random blocks of each head, causal, rows without keys",
    "documents, windowed, last queries",
    "symmetric alibi, more keys than queries",
    "t5 encoder, padded keys",
    "any bias, some of it -inf",
    "sinks, window, softcap, grouped",
    "relative keys, prefix, stride, t5, edges",
    "rows knocked out",
    "edges scaled, some to nothing",
)


@every_case("map_tile")
def test_tile_is_that_part_of_the_map(case: Case, run_triton: RunTriton) -> None:
    rows, cols = range(case.queries // 3, case.queries), range(case.keys // 4, case.keys)
    heads = [case.heads - 1, 0]
    tile = run_triton(map_tile, *mapped(case), rows, cols, heads, config=SMALL)
    truth = case.truth.map[:, heads, rows.start : rows.stop, cols.start : cols.stop]
    torch.testing.assert_close(tile.double(), truth, atol=2e-6, rtol=1e-6)


def test_tile_in_eight_bits_is_on_a_logarithmic_scale(run_triton: RunTriton) -> None:
    case = Case("eight bits", 40, 63, masks={"causal": True, "window": 30})
    pixels = run_triton(map_tile, *mapped(case), range(40), range(63), log_scale=LogScale(), config=SMALL)
    assert pixels.dtype == torch.uint8
    assert (pixels.int() - LogScale().pixels(case.truth.map.log2()).int()).abs().max() <= 1
    assert (pixels[case.truth.map == 0] == 0).all()


@every_case("map_pool")
def test_cells_are_those_of_the_float64_map(case: Case, run_triton: RunTriton) -> None:
    """Cells of several tiles, over a region that begins in the middle where there is one."""
    check_cells(case, 64, run_triton)


@ONE_OF_EACH_KIND
def test_cells_within_a_tile_are_those_of_the_float64_map(case: Case, run_triton: RunTriton) -> None:
    check_cells(case, 4, run_triton)


@some_cases("window", "documents", "edges scaled, some to nothing")
def test_maxima_alone_are_the_same(case: Case, run_triton: RunTriton) -> None:
    whole = range(case.queries), range(case.keys)
    for cell in (16, 64):
        pooled = run_triton(map_pool, *mapped(case), cell, *whole, mean=False, config=SMALL)
        assert pooled[1] is None
        truth, _ = pool_by_hand(case, cell, *whole)
        torch.testing.assert_close(pooled[0].double(), truth, atol=2e-6, rtol=1e-6)


@ONE_OF_EACH_KIND
def test_measures_are_those_of_the_float64_map(case: Case, run_triton: RunTriton) -> None:
    ids = token_ids(case)
    stats, truth = run_triton(map_stats, *mapped(case), ids, config=SMALL), stats_by_hand(case, ids)
    assert stats.keys() == truth.keys()
    for name in truth:
        torch.testing.assert_close(stats[name].double(), truth[name], atol=5e-6, rtol=5e-6)


def test_a_text_of_one_token_and_one_of_seven_have_their_copies_found(run_triton: RunTriton) -> None:
    case = Case("copies", 40, 40, batch=2, masks={"causal": True})
    ids = torch.stack([torch.zeros(40, dtype=torch.int64), torch.arange(40) % 7])
    stats, truth = run_triton(map_stats, *mapped(case), ids, config=SMALL), stats_by_hand(case, ids)
    for name in ("duplicate_token", "induction"):
        torch.testing.assert_close(stats[name].double(), truth[name], atol=5e-6, rtol=5e-6)


@ONE_OF_EACH_KIND
def test_columns_sum_to_what_keys_receive(case: Case, run_triton: RunTriton) -> None:
    sums = run_triton(map_received, *mapped(case), config=SMALL)
    torch.testing.assert_close(sums.double(), case.truth.map.sum(2), atol=5e-6, rtol=5e-6)


def test_pairs_are_entries_of_the_map_and_0_outside(run_triton: RunTriton) -> None:
    case = Case("pairs", 33, 47, heads=4, groups=2, batch=2, masks={"window": 20, "softcap": 3.0})
    queries = torch.tensor([[[0, 32, 5, -1, 33, 7, 7]]])
    keys = torch.tensor([[[0, 46, 9, 3, 3, -1, 47]]])
    weights = run_triton(map_pairs, *mapped(case), queries, keys)
    truth = case.truth.map[:, :, [0, 32, 5], [0, 46, 9]]
    torch.testing.assert_close(weights[..., :3].double(), truth, atol=2e-6, rtol=1e-6)
    assert (weights[..., 3:] == 0).all()


@some_cases("more keys than queries", "documents, windowed, last queries", "edges scaled, some to nothing")
def test_top_keys_are_the_strongest_of_each_row(case: Case, run_triton: RunTriton) -> None:
    rows = range(case.queries // 2, case.queries)
    keys, weights = run_triton(map_top_keys, *mapped(case), 3, rows, config=SMALL)
    part = case.truth.map[:, :, rows.start : rows.stop]
    torch.testing.assert_close(weights.double(), part.topk(3).values, atol=2e-6, rtol=1e-6)
    found = part.gather(-1, keys.clamp(min=0)).masked_fill(keys < 0, 0)
    torch.testing.assert_close(found, part.topk(3).values, atol=2e-6, rtol=1e-6)


def test_rows_of_fewer_keys_than_asked_for_end_without(run_triton: RunTriton) -> None:
    case = Case("few keys", 5, 5, masks={"causal": True})
    keys, weights = run_triton(map_top_keys, *mapped(case), 70, range(5), config=SMALL)
    assert keys.shape == weights.shape == (1, 2, 5, 70)
    assert ((keys >= 0).sum(-1) == torch.arange(1, 6)).all()
    assert (weights[keys < 0] == 0).all()


def mapped(case: Case) -> tuple:
    q, k, _ = case.operands
    return q, k, case.truth.lse.float(), case.spec


def check_cells(case: Case, cell: int, run_triton: RunTriton) -> None:
    rows = range(case.queries // 2 // cell * cell, case.queries)
    cols = range(case.keys // 2 // cell * cell, case.keys)
    pooled = run_triton(map_pool, *mapped(case), cell, rows, cols, config=SMALL)
    for ours, truth in zip(pooled, pool_by_hand(case, cell, rows, cols), strict=True):
        torch.testing.assert_close(ours.double(), truth, atol=2e-6, rtol=1e-6)
