"""The floors of a map's rows, against the fewest weights of the float64 map that hold the share."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from modelcore.analysis import chunks
from modelcore.analysis.floors import read_floors
from modelcore.layers.attention_map import ROUNDING
from tests.kernels.cases import CASES, Case
from tests.modelcore.test_pair import case_named, map_of

# What a float32 map may be off the float64 one, of a weight.
OFF = 5e-6


def strongest(row_K: torch.Tensor, mass: float) -> float:
    """The weakest of the fewest weights that hold this share of the row, one by one from the strongest."""
    held, wanted = 0.0, mass * float(row_K.sum())
    for weight in sorted(row_K.tolist(), reverse=True):
        held += weight
        if held >= wanted:
            return weight
    return 0.0


@pytest.mark.parametrize("mass", [0.5, 0.9])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_floor_is_the_weakest_of_the_fewest_that_hold_the_share(
    case: Case, mass: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum that comes within rounding of the share may need one weight more or less."""
    monkeypatch.setattr(chunks, "ROWS_AT_ONCE", 16)
    found = read_floors(map_of(case), case.heads - 1, mass)
    assert found.shape == (case.queries,)
    for row, floor in zip(case.truth.map[0, case.heads - 1], found.tolist(), strict=True):
        least, most = (strongest(row, mass + off) for off in (1e-5, -1e-5))
        assert least * (1 - ROUNDING) - OFF <= floor <= most * (1 - ROUNDING) + OFF


@pytest.mark.parametrize("name", ["causal", "window", "sinks", "edges scaled, some to nothing", "cross attention"])
def test_what_is_kept_of_any_rectangle_holds_the_share_of_its_rows(name: str) -> None:
    """The page compares with the floor what it reads in tiles, which round otherwise than whole rows."""
    case = case_named(name)
    map_ = map_of(case)
    halves = [range(map_.keys // 2), range(map_.keys // 2, map_.keys)]
    tiles_QK = torch.cat([map_.tile(cols=cols, heads=[0])[0, 0] for cols in halves], -1).double()
    floors_Q1 = torch.from_numpy(read_floors(map_, 0, 0.8))[:, None]
    kept_Q = tiles_QK.where(tiles_QK >= floors_Q1, 0).sum(-1)
    assert bool((kept_Q >= 0.8 * tiles_QK.sum(-1) - 1e-6).all())
    assert bool((kept_Q < tiles_QK.sum(-1)).any())


def test_equal_weights_are_kept_together() -> None:
    """Where a head looks at all alike, rounding must not choose."""
    map_ = map_of(Case("nothing to choose by", 40, 300))
    alike = replace(map_, q_BHQD=torch.zeros_like(map_.q_BHQD), lse_BHQ=torch.full_like(map_.lse_BHQ, math.log(300)))
    tile_QK = alike.tile(heads=[0], cols=range(7, 93))[0, 0]
    assert bool((tile_QK >= torch.from_numpy(read_floors(alike, 0, 0.5))[:, None]).all())


def test_learned_sink_takes_no_part_of_the_share() -> None:
    """Of a row that rests on the sink for more than half, half of the mass is half of what its keys hold."""
    case = Case("a strong sink", 63, 63, masks={"causal": True, "sinks": [9.0, 9.0]})
    row = case.truth.map[0, 0, -1]
    assert float(row.sum()) < 0.5
    assert read_floors(map_of(case), 0, 0.5)[-1] == pytest.approx(strongest(row, 0.5), rel=2e-3)


def test_row_without_keys_has_no_floor() -> None:
    floors = read_floors(map_of(case_named("more queries than keys: rows without keys")), 0, 0.5)
    assert np.flatnonzero(floors == 0).tolist() == list(range(89))


def test_floors_of_parts_are_those_of_the_whole() -> None:
    map_ = map_of(case_named("window"))
    parts = [read_floors(map_, 1, 0.9, rows) for rows in (range(50), range(50, 129))]
    np.testing.assert_allclose(np.concatenate(parts), read_floors(map_, 1, 0.9), rtol=1e-5)
