"""Where tokens stand: padding changes no distance, a cache no position, and T5's buckets are T5's."""

from dataclasses import replace

import pytest
import torch
from transformers.models.t5.modeling_t5 import T5Attention

from kernels import dispatch
from kernels.spec import AttentionSpec
from kernels.spec.distance_bias import t5_bucket
from kernels.spec.random_blocks import draw_random_blocks
from tests.kernels.cases import numbers

POSITIONAL = pytest.mark.parametrize(
    "rules",
    [
        {"window": 5},
        {"prefix": 4, "window": 3},
        {"global_tokens": 2, "window": 3},
        {"stride": 4, "window": 2},
        {"alibi_slopes": torch.tensor([0.5, 0.1])},
        {"relative_keys": numbers(2, 7, 8)},
        {"t5_bias": numbers(16, 2), "t5_bidirectional": False, "sinks": torch.ones(2)},
    ],
    ids=lambda rules: ", ".join(rules),
)


@POSITIONAL
def test_left_padded_text_equals_the_text_alone(rules: dict) -> None:
    padding, tokens = 9, 24
    q, k, v = numbers(3, 1, 2, padding + tokens, 8)
    alone = [x[:, :, padding:] for x in (q, k, v)]
    spec = AttentionSpec(0.4, causal=True, **rules)
    padded = replace(spec, key_starts=torch.tensor([padding]))
    ours, truth = dispatch.attend(q, k, v, padded), dispatch.attend(*alone, spec)
    torch.testing.assert_close(ours.out[:, :, padding:], truth.out)
    torch.testing.assert_close(ours.lse[:, :, padding:], truth.lse)


@POSITIONAL
def test_last_query_on_a_cache_of_keys_is_the_last_row(rules: dict) -> None:
    q, k, v = numbers(3, 1, 2, 33, 8)
    spec = AttentionSpec(0.4, causal=True, **rules)
    whole, last = dispatch.attend(q, k, v, spec), dispatch.attend(q[:, :, -1:], k, v, spec)
    torch.testing.assert_close(last.out, whole.out[:, :, -1:])
    torch.testing.assert_close(last.lse, whole.lse[:, :, -1:])


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize(("buckets", "furthest"), [(32, 128), (16, 40), (64, 500)])
def test_buckets_are_those_of_published_t5(buckets: int, furthest: int, bidirectional: bool) -> None:
    distances = torch.arange(-1200, 1200)
    table = torch.zeros(buckets, 1)
    spec = AttentionSpec(1.0, t5_bias=table, t5_bidirectional=bidirectional, t5_max_distance=furthest)
    truth = T5Attention._relative_position_bucket(distances, bidirectional, buckets, furthest)
    assert torch.equal(t5_bucket(spec, distances), truth)


def test_random_blocks_are_different_blocks_and_the_same_for_the_same_seed() -> None:
    drawn = draw_random_blocks(12, 3, 5, heads=2)
    assert drawn.shape == (2, 12, 3)
    assert drawn.sort(-1).values.diff(dim=-1).gt(0).all() and drawn.min() >= 0 and drawn.max() < 12
    assert torch.equal(drawn, draw_random_blocks(12, 3, 5, heads=2))
    assert not torch.equal(drawn, draw_random_blocks(12, 3, 6, heads=2))
    with pytest.raises(ValueError, match="count must be within 1:12"):
        draw_random_blocks(12, 13, 0)
