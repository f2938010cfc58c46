"""Presets have the sizes of their namesakes, and the tiny ones train."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.config import HeadConfig
from modelcore.models.build import build, count_parameters
from modelcore.presets import PRESETS, preset

TINY = [name for name in PRESETS if name.startswith("tiny-")]


@pytest.mark.parametrize(("name", "millions"), [("base", 65), ("big", 213)])
def test_the_papers_models_have_the_papers_size(name, millions):
    """Within 4 %: the paper rounds, and leaves open whether projections have biases and how large "about 37,000" is.

    What counts: one matrix of 37,000 tokens, shared by both inputs and the output; weights and biases of
    all blocks; not the sinusoids, which nobody learns.
    """
    assert count_parameters(preset(name)) == pytest.approx(millions * 1e6, rel=0.04)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("gpt2", 124_439_808),
        ("gpt2-medium", 354_823_168),
        ("gpt2-large", 774_030_080),
        ("gpt2-xl", 1_557_611_200),
        ("bert-base", 109_514_298),  # with the head that guesses masked tokens
        ("t5-small", 60_506_624),
        ("t5-base", 222_903_552),
        ("llama-2-7b", 6_738_415_616),
        ("llama-3-8b", 8_030_261_248),
        ("mixtral-8x7b", 46_702_792_704),
        ("vit-b-16", 86_567_656),
    ],
)
def test_namesakes_have_their_published_number_of_parameters(name, parameters):
    assert count_parameters(preset(name)) == parameters


@pytest.mark.parametrize(("name", "parameters"), [("bert-base", 109_482_240), ("bert-large", 335_141_888)])
def test_bert_with_its_pooler_and_nothing_above_has_its_published_number_of_parameters(name, parameters):
    pooler = HeadConfig("classes", 1, tied=False, transform=True, transform_activation="tanh")
    config = replace(preset(name), head=pooler)
    assert count_parameters(config) - config.width == parameters


def test_unknown_preset_lists_those_that_there_are():
    with pytest.raises(ValueError, match=r"'gpt-2'; choose from base, big, gpt2, .*, tiny-mixture\.$"):
        preset("gpt-2")


@pytest.mark.parametrize("name", TINY)
def test_tiny_presets_have_a_few_hundred_thousand_parameters(name):
    assert 200_000 < count_parameters(preset(name)) < 500_000


@pytest.mark.parametrize("name", TINY)
def test_tiny_presets_learn_one_batch_by_heart(name):
    """Every parameter has a part in it: none is left without a gradient."""
    torch.manual_seed(0)
    config = preset(name)
    model = build(config)
    optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
    labels, inputs = _batch(name)
    losses = []
    for _ in range(12):
        loss = torch.nn.functional.cross_entropy(model(*inputs).flatten(0, -2), labels.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []


def _batch(name):
    if name == "tiny-vision":
        return torch.randint(0, 10, (8,)), [torch.randn(8, 3, 32, 32)]
    ids, labels = torch.randint(2, 512, (2, 4, 9))
    return labels, [ids, ids] if name == "tiny-encoder-decoder" else [ids]
