"""The mask's hull, edges and counts against the definition of a visible pair."""

import pytest
import torch

from kernels import mask
from tests.kernels.cases import BANDS, Case

EVERY_BAND = pytest.mark.parametrize("case", BANDS, ids=str)


@EVERY_BAND
def test_counts_are_the_visible_pairs_of_each_cell(case: Case) -> None:
    rows = torch.tensor(sorted({0, case.queries // 3, case.queries - 1, case.queries}))
    cols = torch.tensor(sorted({0, case.keys // 4, case.keys // 2, case.keys}))
    counts = mask.visible_counts(case.spec, case.queries, case.keys, rows, cols)
    for r in range(len(rows) - 1):
        for c in range(len(cols) - 1):
            cell = case.truth.visible[:, :1, rows[r] : rows[r + 1], cols[c] : cols[c + 1]]
            assert torch.equal(counts[..., r, c].expand(case.batch, 1), cell.sum((-2, -1)))


@EVERY_BAND
def test_nothing_is_seen_outside_the_hull_or_hidden_outside_the_edges(case: Case) -> None:
    for rows in (range(case.queries // 2 + 1), range(case.queries // 2, case.queries)):
        seen = case.truth.visible[0, 0, rows.start : rows.stop]
        hull = mask.keys_seen(case.spec, case.queries, case.keys, rows)
        assert not seen[:, : hull.start].any() and not seen[:, hull.stop :].any()
        edges = mask.hidden_spans(case.spec, case.queries, case.keys, rows, hull)
        if not case.spec.used & {"key_lengths", "key_starts"}:
            interior = [j for j in hull if not any(j in edge for edge in edges)]
            assert seen[:, interior].all()
