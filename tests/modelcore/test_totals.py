"""The margins of a map: what keys receive and how widely rows look, against the float64 map."""

from __future__ import annotations

import pytest
import torch

from modelcore.analysis import chunks
from modelcore.analysis.totals import read_totals
from tests.kernels.cases import CASES, Case
from tests.modelcore.test_pair import case_named, map_of


@pytest.mark.parametrize("case", CASES, ids=str)
def test_margins_are_those_of_the_float64_map(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "ROWS_AT_ONCE", 16)
    found = read_totals(map_of(case), case.heads - 1)
    truth = case.truth.map[0, case.heads - 1]
    torch.testing.assert_close(found.received_K, truth.sum(0), atol=5e-6, rtol=2e-6)
    torch.testing.assert_close(found.entropy_Q, -torch.xlogy(truth, truth).sum(-1), atol=1e-5, rtol=1e-5)


def test_margins_of_parts_add_up_to_the_whole() -> None:
    map_ = map_of(case_named("causal"))
    whole = read_totals(map_, 1)
    parts = [read_totals(map_, 1, rows) for rows in (range(50), range(50, 129))]
    torch.testing.assert_close(sum(part.received_K for part in parts), whole.received_K, atol=5e-6, rtol=2e-6)
    torch.testing.assert_close(torch.cat([part.entropy_Q for part in parts]), whole.entropy_Q, atol=1e-5, rtol=1e-5)
