"""Single edges, the mass that keys receive, and the strongest keys, against the float64 map."""

import pytest
import torch

from kernels import dispatch
from tests.kernels.cases import CASES, Case
from tests.kernels.test_long_texts import LONG

EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)
BOTH = pytest.mark.parametrize("implementation", ["cpu", "reference"])


@EVERY_CASE
@BOTH
def test_every_edge_has_its_probability(case: Case, implementation: str, poisoned_memory: None) -> None:
    i, j = torch.meshgrid(torch.arange(case.queries), torch.arange(case.keys), indexing="ij")
    edges = dispatch.map_edges(*site(case), i.flatten(), j.flatten(), implementation=implementation)
    torch.testing.assert_close(edges.double(), case.truth.map.flatten(-2), atol=2e-6, rtol=1e-6)


@EVERY_CASE
@BOTH
def test_keys_receive_the_columns_of_the_map(case: Case, implementation: str, poisoned_memory: None) -> None:
    received = dispatch.map_received(*site(case), implementation=implementation)
    torch.testing.assert_close(received.double(), case.truth.map.sum(-2), atol=5e-6, rtol=2e-6)


@EVERY_CASE
@pytest.mark.parametrize("count", [1, 3, 200])
@BOTH
def test_strongest_keys_are_those_of_the_float64_map(
    case: Case, count: int, implementation: str, poisoned_memory: None
) -> None:
    """Which of two equals comes first nobody says; their probabilities do."""
    rows = range(case.queries // 3, case.queries)
    keys, probabilities = dispatch.map_top_keys(*site(case), count, rows, implementation=implementation)
    chosen = case.truth.map[:, :, rows.start :]
    truth = torch.nn.functional.pad(chosen, (0, count)).topk(count).values
    torch.testing.assert_close(probabilities.double(), truth, atol=2e-6, rtol=1e-6)
    torch.testing.assert_close(
        chosen.gather(-1, keys.clamp(min=0)).masked_fill(keys < 0, 0), truth, atol=2e-6, rtol=1e-6
    )
    assert ((keys < 0) == (probabilities == 0)).all()
    for row in keys.flatten(0, -2).tolist():
        found = [key for key in row if key >= 0]
        assert len(found) == len(set(found))


@pytest.mark.parametrize("case", LONG, ids=str)
def test_long_texts_are_those_of_the_reference(case: Case) -> None:
    generator = torch.Generator().manual_seed(0)
    i, j = (torch.randint(0, size, (2000,), generator=generator) for size in (case.queries, case.keys))
    both = ("cpu", "reference")
    ours, truth = (dispatch.map_edges(*site(case), i, j, implementation=name) for name in both)
    torch.testing.assert_close(ours, truth.float(), atol=3e-6, rtol=2e-5)
    ours, truth = (dispatch.map_received(*site(case), implementation=name) for name in both)
    torch.testing.assert_close(ours, truth.float(), atol=2e-5, rtol=2e-5)
    ours, truth = (dispatch.map_top_keys(*site(case), 5, implementation=name).probabilities for name in both)
    torch.testing.assert_close(ours, truth.float(), atol=3e-6, rtol=2e-5)


@EVERY_CASE
def test_what_keys_receive_is_what_rows_give(case: Case) -> None:
    q, k, lse, spec = site(case)
    whole = dispatch.map_tile(q, k, lse, spec, range(case.queries), range(case.keys))
    received = dispatch.map_received(q, k, lse, spec)
    torch.testing.assert_close(received.sum(-1), whole.sum((-2, -1)), atol=1e-4, rtol=1e-5)


def test_previous_token_and_diagonal_are_lists_of_edges() -> None:
    case = next(case for case in CASES if case.name == "causal")
    stats = dispatch.map_stats(*site(case), None)
    i = torch.arange(case.queries)
    diagonal = dispatch.map_edges(*site(case), i, i).mean(-1)
    previous = dispatch.map_edges(*site(case), i[1:], i[:-1]).sum(-1) / case.queries
    torch.testing.assert_close(diagonal, stats["diagonal"])
    torch.testing.assert_close(previous, stats["previous_token"])


def test_no_edges_have_no_probabilities() -> None:
    none = torch.empty(0, dtype=torch.long)
    assert dispatch.map_edges(*site(CASES[1]), none, none).shape == (1, 2, 0)


@pytest.mark.parametrize(
    ("queries", "keys", "complaint"),
    [([0], [63], "keys of edges must lie within 0:63"), ([-1], [0], "queries of edges must lie"),
     ([0, 1], [0], "queries of edges must be integers"), ([0.0], [0], "queries of edges must be integers")],
)  # fmt: skip
def test_edges_outside_the_map_are_refused(queries: list, keys: list, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        dispatch.map_edges(*site(CASES[1]), torch.tensor(queries), torch.tensor(keys))


def test_no_keys_cannot_be_the_strongest() -> None:
    with pytest.raises(ValueError, match="count must be at least 1"):
        dispatch.map_top_keys(*site(CASES[1]), 0)


def site(case: Case) -> tuple:
    q, k, v = case.operands
    return q, k, dispatch.attend(q, k, v, case.spec).lse, case.spec
