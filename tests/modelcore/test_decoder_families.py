"""Every family of decoders against the outside implementation, eager and in float32, in both directions."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
import transformers

from modelcore.checkpoints.reader import Checkpoint, open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from modelcore.layers.cache import Cache
from modelcore.models.build import Transformer
from tests.modelcore.agreement import assert_close, assert_same_logits, assert_same_maps
from tests.modelcore.decoder_variants import IDS, LENGTHS, VARIANTS, save_variant


class Opened(NamedTuple):
    outside: Any
    checkpoint: Checkpoint
    model: Transformer


@pytest.fixture(scope="module", params=VARIANTS)
def opened(request, tmp_path_factory) -> Opened:
    folder = tmp_path_factory.mktemp("checkpoint")
    outside = save_variant(folder, request.param)
    checkpoint = open_checkpoint(folder)
    return Opened(outside, checkpoint, checkpoint.load())


@pytest.mark.parametrize("tokens", LENGTHS)
def test_maps_and_logits_are_the_same(opened, tokens):
    ids, maps = IDS[:, :tokens], []
    with torch.inference_mode():
        expected = opened.outside(ids, output_attentions=True)
        assert_same_logits(opened.model(ids, tap=maps.append), expected.logits)
    assert_same_maps(maps, expected.attentions)
    assert opened.checkpoint.unused == []


def test_saved_by_us_it_opens_outside_with_the_same_logits(opened, tmp_path):
    save_checkpoint(tmp_path, opened.model, opened.checkpoint.family)
    reopened = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path, attn_implementation="eager", experts_implementation="eager"
    )
    with torch.inference_mode():
        logits = opened.model(IDS)
        assert_same_logits(reopened(IDS).logits, logits)
        assert torch.equal(open_checkpoint(tmp_path).load()(IDS), logits)
    assert open_checkpoint(tmp_path).config == opened.checkpoint.config


def test_reading_token_by_token_equals_reading_at_once(opened):
    cache, tokens = Cache(), 22
    with torch.inference_mode():
        at_once = opened.model(IDS[:, :tokens])
        pieces = [opened.model(IDS[:, :9], cache=cache)]
        pieces += [opened.model(IDS[:, token : token + 1], cache=cache) for token in range(9, tokens)]
    assert_close(torch.cat(pieces, dim=1), at_once)


def test_padded_texts_equal_single_ones(opened):
    long, short, padding = IDS[:1, :22], IDS[1:, :15], torch.zeros(1, 7, dtype=torch.long)
    with torch.inference_mode():
        alone = opened.model(short)
        left = opened.model(torch.cat([long, torch.cat([padding, short], dim=1)]), starts_B=torch.tensor([0, 7]))
        right = opened.model(torch.cat([long, torch.cat([short, padding], dim=1)]), lengths_B=torch.tensor([22, 15]))
    assert_close(left[1:, 7:], alone)
    assert_close(right[1:, :15], alone)
