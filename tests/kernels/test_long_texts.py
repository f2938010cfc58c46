"""Texts longer than a chunk: seams between chunks, and blocks of keys that a pattern never sees."""

import pytest
import torch

from kernels import dispatch, mask, reference
from kernels.cpu import products
from kernels.cpu.chunk import Chunks
from kernels.spec.random_blocks import draw_random_blocks
from tests.kernels.cases import PRODUCTS, Case, bits, numbers
from tests.kernels.test_attend import towards, true_gradients

TOKENS = 700
LONG = [
    Case("prefix and window", TOKENS, TOKENS, masks={"causal": True, "prefix": 150, "window": 40}),
    Case("stride", 500, TOKENS, masks={"causal": True, "stride": 300, "window": 20}),
    Case("global tokens", TOKENS, TOKENS, masks={"window": 30, "global_tokens": [0, 650]}),
    Case("big bird", TOKENS, TOKENS, masks={"window": 1, "block": 32, "random_blocks": draw_random_blocks(22, 2, 7)}),
    Case("documents", TOKENS, TOKENS, masks={"causal": True, "documents": [[0] * 300 + [1] * 200 + [2] * 200]}),
    Case("t5 and sinks", 600, TOKENS, masks={"t5_bias": numbers(32, 2), "sinks": [1.0, 4.0], "window": 300}),
    Case("left padding", TOKENS, TOKENS, batch=2, masks={"causal": True, "key_starts": [600, 3]}),
    Case("alibi, left padding", TOKENS, TOKENS,
         masks={"causal": True, "alibi_slopes": [0.01, 0.1], "key_starts": [200]}),
    Case("relative keys", 600, TOKENS, heads=4, groups=2, masks={"relative_keys": numbers(33, 16)}),
    Case("relative keys of each head, prefix", TOKENS, TOKENS,
         masks={"causal": True, "prefix": 150, "window": 40, "relative_keys": numbers(2, 101, 16)}),
    Case("additive", 200, TOKENS, heads=2, groups=1, masks={"causal": True, "additive": numbers(2, 16)}),
    Case("edges", TOKENS, TOKENS, masks={"causal": True, "window": 200, "edge_bias": [-torch.inf, 0.5],
         "edge_scale": [1.0, 2.0], "edge_queries": bits(1, 2, TOKENS, sets=2),
         "edge_keys": bits(1, 1, TOKENS, sets=2, seed=1)}),
]  # fmt: skip
EVERY_TEXT = pytest.mark.parametrize("case", LONG, ids=str)


@EVERY_TEXT
def test_chunks_of_rows_make_one_whole(case: Case) -> None:
    operands = [x.detach().clone().requires_grad_() for x in case.operands]
    doubles = [x.detach().double().requires_grad_() for x in operands]
    attended = dispatch.attend(*operands, case.spec)
    truth = dispatch.attend(*doubles, case.spec, implementation="reference")
    torch.testing.assert_close(attended.out.double(), truth.out, atol=5e-6, rtol=1e-6)
    torch.testing.assert_close(attended.lse.double(), truth.lse, atol=5e-6, rtol=1e-6)
    attended.out.square().sum().backward()
    truth.out.square().sum().backward()
    for our, true in zip(operands, doubles, strict=True):
        torch.testing.assert_close(our.grad.double(), true.grad, atol=3e-5, rtol=1e-5)


def test_hidden_layers_of_additive_scores_are_made_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of queries and keys never fills more than a chunk of scores, and the seams do not show."""
    made = []

    def hidden(q: torch.Tensor, k: torch.Tensor) -> torch.Tensor:
        made.append(_hidden(q, k))
        return made[-1]

    case = next(case for case in PRODUCTS if case.name == "additive, cross attention, padded keys, grouped")
    _hidden = products._hidden
    monkeypatch.setattr(products, "_hidden", hidden)
    monkeypatch.setattr(products, "CHUNK_SCORES", 2000)
    operands = [x.detach().clone().requires_grad_() for x in case.operands]
    attended = dispatch.attend(*operands, case.spec)
    torch.testing.assert_close(attended.out.double(), case.truth.out, atol=5e-6, rtol=1e-6)
    (attended.out * towards(case)).sum().backward()
    for our, truth in zip(operands, true_gradients(case), strict=True):
        torch.testing.assert_close(our.grad.double(), truth, atol=2e-5, rtol=1e-5)
    assert max(block.numel() for block in made) <= 2000
    assert {block.shape[2] for block in made} == {1} and min(block.shape[3] for block in made) < case.keys


@EVERY_TEXT
def test_cells_and_measures_are_those_of_the_reference(case: Case) -> None:
    q, k, v = case.operands
    lse = dispatch.attend(q, k, v, case.spec).lse
    ids = torch.arange(case.keys).expand(case.batch, -1) % 7
    both = ("cpu", "reference")
    ours, truth = (dispatch.map_pool(q, k, lse, case.spec, 32, implementation=name) for name in both)
    for our, true in zip(ours, truth, strict=True):
        torch.testing.assert_close(our, true, atol=3e-6, rtol=2e-5)
    measures, true_measures = (dispatch.map_stats(q, k, lse, case.spec, ids, implementation=name) for name in both)
    for name, measure in true_measures.items():
        torch.testing.assert_close(measures[name], measure, atol=1e-5, rtol=3e-5)


@EVERY_TEXT
def test_no_visible_pair_lies_outside_the_runs(case: Case) -> None:
    q, k, _ = case.operands
    chunks = Chunks(case.spec, q, case.keys, case.groups, dtype=torch.float32)
    seen = reference._visible(q, k, case.spec)
    for rows in (range(0, 64), range(300, 364), range(436, 500)):
        inside = torch.zeros(case.keys, dtype=torch.bool)
        for run in chunks.runs(rows, slice(0, 1)):
            inside[run.start : run.stop] = True
        assert not seen[..., rows.start : rows.stop, ~inside].any()


@pytest.mark.parametrize(
    ("masks", "most"),
    [
        ({"window": 64, "global_tokens": 1}, 512),
        ({"causal": True, "window": 64, "prefix": 10}, 384),
        ({"window": 1, "block": 64, "random_blocks": draw_random_blocks(64, 2, 0)}, 896),
        ({"causal": True, "stride": 1024, "window": 16}, 896),
        ({"documents": torch.arange(4096)[None] // 512}, 512),
    ],
    ids=["global tokens", "prefix", "big bird", "stride", "documents"],
)
def test_blocks_of_keys_that_a_pattern_never_sees_are_skipped(masks: dict, most: int) -> None:
    """Of 4,096 keys, these 64 rows look at few."""
    case = Case("skipped", 4096, 4096, masks=masks)
    assert not mask.is_band(case.spec)
    chunks = Chunks(case.spec, torch.zeros(2, 1, 4096, 1), 4096, 2, dtype=torch.float32)
    runs = chunks.runs(range(2048, 2112), slice(0, 1))
    assert 0 < sum(map(len, runs)) <= most
