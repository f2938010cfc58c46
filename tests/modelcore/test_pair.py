"""One weight taken apart: the parts make up the weight, under every mask and bias that attention knows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from kernels import dispatch
from modelcore.adapters.materialised import materialised_map
from modelcore.analysis.capture import open_capture, save_capture
from modelcore.analysis.pair import Pair, read_pair
from modelcore.config import AttentionSite, ModelConfig, StackConfig
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import build
from tests.kernels.cases import CASES, Case

SITE = AttentionSite("decoder", "self", 0)
EVERY_CASE = pytest.mark.parametrize("case", CASES, ids=str)


def map_of(case: Case) -> AttentionMap:
    attended = dispatch.attend(*case.operands, case.spec)
    q_BHQD, k_BGKD, _ = case.operands
    return AttentionMap(SITE, q_BHQD, k_BGKD, attended.lse, case.spec, attended.implementation)


def case_named(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def some_pairs(case: Case) -> list[tuple[int, int, int]]:
    """Head, row and column: along the diagonal, at both ends, and far from it, so that most rules hide some."""
    rows = sorted({0, case.queries // 2, case.queries - 1})
    cols = sorted({0, case.keys // 3, case.keys // 2, case.keys - 1})
    return [(head, row, col) for head in (0, case.heads - 1) for row in rows for col in cols]


def put_together(pair: Pair) -> float:
    """The weight by the formula, from the parts that the pair names, in Python's own float64."""
    if pair.hidden_by or pair.log_sum_exp == -math.inf:
        return 0.0
    score = pair.scale * (math.fsum(pair.products_D.tolist()) + (pair.relative or 0.0))
    if pair.softcap is not None:
        score = pair.softcap * math.tanh(score / pair.softcap)
    score += math.fsum(pair.biases.values())
    return math.exp(score - pair.log_sum_exp) * (1.0 if pair.factor is None else pair.factor)


@EVERY_CASE
def test_weight_is_that_of_the_map_and_of_the_float64_definition(case: Case) -> None:
    map_ = map_of(case)
    for head, row, col in some_pairs(case):
        pair = read_pair(map_, head, row, col)
        whole_row = map_.tile(range(row, row + 1), heads=[head])[0, 0, 0]
        assert pair.weight == pytest.approx(float(whole_row[col]), abs=1e-6)
        assert pair.weight == pytest.approx(float(case.truth.map[0, head, row, col]), abs=1e-6)


@EVERY_CASE
def test_parts_make_up_the_weight(case: Case) -> None:
    map_ = map_of(case)
    for head, row, col in some_pairs(case):
        pair = read_pair(map_, head, row, col)
        assert pair.weight == pytest.approx(put_together(pair), abs=1e-9)


@EVERY_CASE
def test_pair_is_hidden_by_some_rule_where_it_is_not_seen(case: Case) -> None:
    map_ = map_of(case)
    for head, row, col in some_pairs(case):
        pair = read_pair(map_, head, row, col)
        assert bool(pair.hidden_by) != bool(case.truth.visible[0, head, row, col])
        assert pair.seen == int(case.truth.visible[0, head, row].sum())


@pytest.mark.parametrize(
    ("name", "row", "col", "rules"),
    [
        ("causal", 5, 6, ["causal"]),
        ("window", 40, 3, ["window"]),
        ("symmetric window", 40, 3, ["window"]),
        ("stride and window", 20, 2, ["pattern"]),
        ("documents", 25, 3, ["documents"]),
        ("left padding", 62, 62, []),
        ("prefix", 3, 10, []),
        ("prefix", 3, 30, ["causal"]),
    ],
)
def test_rule_that_hides_is_named(name: str, row: int, col: int, rules: list[str]) -> None:
    assert read_pair(map_of(case_named(name)), 0, row, col).hidden_by == rules


def test_scale_softcap_and_biases_are_told_one_by_one() -> None:
    case = case_named("t5, softcap, sinks, prefix, documents")
    pair = read_pair(map_of(case), 1, 9, 4)
    q, k, _ = case.operands
    products = q[0, 1, 9].double() * k[0, 1, 4].double()
    assert torch.equal(pair.products_D, products)
    assert pair.scale == pytest.approx(2 * case.width**-0.5)  # not the usual one
    assert pair.scaled == pytest.approx(float(products.sum()) * pair.scale)
    assert pair.capped == pytest.approx(2.0 * math.tanh(pair.scaled / 2.0))
    assert pair.biases == {"t5": pytest.approx(float(case.spec.t5_bias[4, 1]))}  # four and more: 4 has its own bucket
    assert pair.sink == pytest.approx(1.5)


def test_row_is_summed_up_by_its_largest_score_and_strongest_keys() -> None:
    case = case_named("alibi")
    pair = read_pair(map_of(case), 1, 50, 3)
    truth = case.truth.map[0, 1, 50].topk(5)
    assert [key for key, _ in pair.strongest] == truth.indices.tolist()
    assert [weight for _, weight in pair.strongest] == pytest.approx(truth.values.tolist(), abs=1e-6)
    assert math.exp(pair.largest_score - pair.log_sum_exp) == pytest.approx(float(truth.values[0]), abs=1e-6)


def test_additive_score_is_not_called_a_dot_product() -> None:
    case = case_named("additive")
    pair = read_pair(map_of(case), 0, 9, 4)
    q, k, _ = case.operands
    parts = case.spec.additive[0].double() * torch.tanh(q[0, 0, 9].double() + k[0, 0, 4].double())
    assert pair.rule == "additive"
    torch.testing.assert_close(pair.products_D, parts)


def test_map_that_was_handed_out_whole_has_no_query_and_no_key() -> None:
    given = torch.rand(1, 2, 6, 6).softmax(-1)
    pair = read_pair(materialised_map(SITE, given), 1, 4, 2)
    assert (pair.rule, len(pair.products_D)) == ("whole", 0)
    assert pair.weight == pytest.approx(float(given[0, 1, 4, 2]), abs=1e-6)


def test_rounding_of_the_log_sum_exp_is_taken_out_and_a_wrong_one_is_not() -> None:
    map_ = map_of(case_named("causal"))
    right = read_pair(map_, 0, 60, 3).weight
    rounded = replace(map_, lse_BHQ=map_.lse_BHQ + 3e-5)
    assert read_pair(rounded, 0, 60, 3).weight == pytest.approx(right, rel=1e-6)
    wrong = replace(map_, lse_BHQ=map_.lse_BHQ + 0.1)
    assert read_pair(wrong, 0, 60, 3).weight == pytest.approx(right * math.exp(-0.1), rel=1e-5)


@pytest.mark.parametrize(("encoding", "turned"), [("rotary", True), ("learned", False)])
def test_pair_says_whether_positions_turned_query_and_key(encoding: str, turned: bool, tmp_path) -> None:
    torch.manual_seed(0)
    maps: list[AttentionMap] = []
    model = build(ModelConfig(20, 20, 16, decoder=StackConfig(1, 2, 16), position_encoding=encoding)).eval()
    with torch.inference_mode():
        model(torch.randint(0, 20, (1, 12)), tap=maps.append)
    save_capture(tmp_path / "run", maps)
    for map_ in (maps[0], open_capture(tmp_path / "run")["decoder.self.0"]):
        assert read_pair(map_, 1, 7, 3).turned is turned
