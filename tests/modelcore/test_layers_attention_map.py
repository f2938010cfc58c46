"""A map of a site: what it says when it is asked for whole rows."""

from __future__ import annotations

from dataclasses import replace

import torch

from modelcore.config import ModelConfig, StackConfig
from modelcore.layers.attention_map import AttentionMap
from modelcore.models.build import build


def first_map() -> AttentionMap:
    torch.manual_seed(0)
    maps: list[AttentionMap] = []
    model = build(ModelConfig(20, 20, 16, decoder=StackConfig(1, 2, 16))).eval()
    with torch.inference_mode():
        model(torch.randint(0, 20, (1, 12)), tap=maps.append)
    return maps[0]


def test_rounding_of_the_log_sum_exp_does_not_show_in_whole_rows():
    map_ = first_map()
    rounded = replace(map_, lse_BHQ=map_.lse_BHQ + 3e-5)
    assert (rounded.tile().sum(-1) - 1).abs().max() < 1e-6
    assert torch.allclose(rounded.tile(), map_.tile(), atol=1e-6)


def test_wrong_log_sum_exp_is_not_hidden():
    map_ = first_map()
    wrong = replace(map_, lse_BHQ=map_.lse_BHQ + 0.1)
    assert (wrong.tile().sum(-1) - 1).abs().min() > 0.05
