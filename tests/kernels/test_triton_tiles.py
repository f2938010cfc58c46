"""Which tiles the Triton kernels skip and which they do not mask, against the pairs that float64 sees."""

import pytest
import torch

from kernels.gpu.tiles import classes, lists
from tests.kernels.cases import Case
from tests.kernels.triton_cases import every_case, some_cases

BLOCKS = (16, 8)


@every_case("attend")
def test_skipped_tiles_hold_no_visible_pair_and_full_ones_no_hidden_one(case: Case) -> None:
    some, every = whole(case)
    visible = by_tile(case.truth.visible, pad=True), by_tile(case.truth.visible, pad=False)
    assert not (visible[1].any(-1) & ~some).any()
    assert (visible[0].all(-1) | ~every).all()
    assert (some | ~every).all()


@some_cases("documents", "stride alone", "big bird", "prefix", "edges knocked out")
def test_most_tiles_that_could_be_are_skipped_or_full(case: Case) -> None:
    """Erring towards masks is right but slow: of tiles that hold nothing, and of those that hold all, half at least."""
    some, every = whole(case)
    empty = ~by_tile(case.truth.visible, pad=False).any(-1)
    assert (~some).expand_as(empty).sum() >= empty.sum() / 2
    if "edge_queries" not in case.masks and "stride" not in case.masks:
        entire = by_tile(case.truth.visible, pad=True).all(-1)
        entire[..., -1] &= case.keys % BLOCKS[1] == 0  # ragged tiles are masked
        assert every.expand_as(entire).sum() >= entire.sum() / 2


@pytest.mark.parametrize("of_columns", [False, True])
@some_cases("global tokens of each text, causal")
def test_lists_name_every_tile_that_is_not_skipped_once(case: Case, of_columns: bool) -> None:
    listed = lists(*spans(case), BLOCKS, torch.device("cpu"), of_columns=of_columns)
    some, every = (x.transpose(-1, -2) if of_columns else x for x in whole(case))
    assert listed is not None
    full, masked = listed.full[..., -1], listed.masked[..., -1]
    assert torch.equal(full, every.sum(-1)) and torch.equal(full + masked, some.sum(-1))
    for b in range(case.batch):
        for line, tiles in enumerate(listed.order[b, 0]):
            of_both = full[b, 0, line] + masked[b, 0, line]
            assert every[b, 0, line, tiles[: full[b, 0, line]]].all()
            assert some[b, 0, line, tiles[:of_both]].all() and not some[b, 0, line, tiles[of_both:]].any()


@some_cases("causal", "left padding", "symmetric window", "sinks, window, softcap, grouped")
def test_bands_need_no_lists(case: Case) -> None:
    assert lists(*spans(case), BLOCKS, torch.device("cpu")) is None


def spans(case: Case) -> tuple:
    return case.spec, case.queries, case.keys, range(case.queries), range(case.keys)


def whole(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    return classes(*spans(case), BLOCKS, torch.device("cpu"))


def by_tile(visible: torch.Tensor, *, pad: bool) -> torch.Tensor:
    """[B, H, rows, cols, pairs of a tile]; ragged tiles are filled with `pad`."""
    short = (0, -visible.shape[-1] % BLOCKS[1], 0, -visible.shape[-2] % BLOCKS[0])
    tiles = torch.nn.functional.pad(visible, short, value=pad).unflatten(-1, (-1, BLOCKS[1]))
    return tiles.unflatten(-3, (-1, BLOCKS[0])).transpose(-2, -3).flatten(-2)
