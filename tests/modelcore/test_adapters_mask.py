"""What a mask says, exactly and in the fewest words."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers.masking_utils as outside
from torch import Tensor

from kernels.reference import attention, map_tile
from kernels.spec import AttentionSpec
from modelcore.adapters import mask as masks
from modelcore.adapters.mask import UnreadMask, fields_of, headlight_mask

N = 11
CHUNKS = outside.chunked_causal_mask_function(4, torch.zeros(1, dtype=torch.long))
HOLES = outside.and_masks(outside.causal_mask_function, lambda b, h, q, kv: (kv % 3 == 0) | (kv == q))
PREFIX = outside.or_masks(outside.causal_mask_function, lambda b, h, q, kv: kv < 4)

RULES: list[tuple[Any, set[str]]] = [
    (outside.causal_mask_function, {"causal"}),
    (outside.bidirectional_mask_function, set()),
    (outside.sliding_window_causal_mask_function(4), {"causal", "window"}),
    (outside.sliding_window_causal_mask_function(1), {"causal", "window"}),
    (outside.sliding_window_causal_mask_function(50), {"causal"}),
    (outside.sliding_window_bidirectional_mask_function(2), {"window"}),
    (CHUNKS, {"causal", "documents"}),
    (PREFIX, {"causal", "prefix"}),
    (HOLES, {"bias"}),
]


def unread(rule: Any, queries: int = N, offset: int = 0, **more: Any) -> Tensor:
    made = headlight_mask(1, queries, queries + offset, q_offset=offset, mask_function=rule, **more)
    assert made is not None
    return made


def eager(rule: Any, queries: int = N, offset: int = 0) -> Tensor:
    return outside.eager_mask(1, queries, queries + offset, q_offset=offset, mask_function=rule)


def map_of(fields: dict[str, Any], q_BHQD: Tensor, k_BGKD: Tensor) -> Tensor:
    spec = AttentionSpec(scale=0.7, **fields)
    lse = attention(q_BHQD, k_BGKD, k_BGKD, spec).lse
    whole = range(q_BHQD.shape[2]), range(k_BGKD.shape[2])
    return map_tile(q_BHQD, k_BGKD, lse, spec, *whole)


@pytest.mark.parametrize("offset", [0, 5])
@pytest.mark.parametrize("block_elements", [1, 40, 1 << 20])
@pytest.mark.parametrize(("rule", "said"), RULES)
def test_the_fields_hide_what_the_mask_hides(
    rule: Any, said: set[str], block_elements: int, offset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "BLOCK_ELEMENTS", block_elements)
    generator = torch.Generator().manual_seed(0)
    q_BHQD, k_BGKD = (torch.randn(1, 2, n, 4, generator=generator) for n in (N, N + offset))
    expected = (0.7 * q_BHQD @ k_BGKD.transpose(-1, -2) + eager(rule, offset=offset)).softmax(-1)
    for mask in (unread(rule, offset=offset), eager(rule, offset=offset)):
        fields = fields_of(mask, 1, N, N + offset)
        assert torch.allclose(map_of(fields, q_BHQD, k_BGKD), expected, atol=1e-6)
        if not offset:
            assert set(fields) == said


def test_a_rule_is_read_without_making_the_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UnreadMask, "made", lambda _: pytest.fail("the mask was made"))
    assert fields_of(unread(outside.causal_mask_function, 3000), 1, 3000, 3000) == {"causal": True}


def test_whoever_computes_with_a_mask_gets_what_eager_attention_gets() -> None:
    mask = unread(outside.sliding_window_causal_mask_function(3), dtype=torch.float32)
    expected = eager(outside.sliding_window_causal_mask_function(3))
    assert mask.shape == expected.shape
    assert torch.equal(mask + 0, expected)
    assert torch.equal(mask[:, :, 2:5, :4], expected[:, :, 2:5, :4])
    with torch.inference_mode():
        mask = unread(outside.sliding_window_causal_mask_function(3), dtype=torch.float32)
        assert torch.equal(mask.expand(1, 3, N, N) * 1, expected.expand(1, 3, N, N))


def test_a_mask_that_adds_other_numbers_is_kept_as_a_bias() -> None:
    mask = eager(outside.causal_mask_function) + torch.arange(N) * -0.25
    fields = fields_of(mask, 1, N, N)
    assert set(fields) == {"bias"}
    assert torch.equal(fields["bias"].exp(), mask.exp())


def test_padding_on_the_right_is_kept_as_lengths() -> None:
    padded = torch.tensor([[True] * 8 + [False] * 3])
    fields = fields_of(unread(outside.bidirectional_mask_function, attention_mask=padded), 1, N, N)
    assert fields["key_lengths"].tolist() == [8]


def test_a_query_that_sees_nothing_is_refused() -> None:
    mask = eager(outside.causal_mask_function).clone()
    mask[..., 4, :] = torch.finfo(torch.float32).min
    with pytest.raises(ValueError, match="sees no key"):
        fields_of(mask, 1, N, N)


def test_what_only_a_bias_can_say_is_refused_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masks, "WHOLE_LIMIT_ELEMENTS", 100)
    with pytest.raises(ValueError, match="up to 10 tokens; the text has 11"):
        fields_of(eager(HOLES), 1, N, N)
