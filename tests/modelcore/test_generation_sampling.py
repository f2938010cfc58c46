"""Filters against the outside implementation's processors; drawing; and choices that are refused."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
import transformers.generation.logits_process as outside

from modelcore.generation.error import GenerationError
from modelcore.generation.filters import ban, keep_min_p, keep_top_k, keep_top_p, penalise_repetition, sharpen
from modelcore.generation.sampling import Sampler, Sampling

IDS = torch.tensor([[3, 3, 70, 0, 12], [1, 2, 3, 4, 5], [9, 9, 9, 9, 9]])


@pytest.fixture(
    params=[(83, 1.0), (83, 6.0), (5000, 0.1), (5000, 6.0)], ids=["flat", "peaked", "many flat", "many peaked"]
)
def logits(request):
    tokens, spread = request.param
    return torch.randn(3, tokens, generator=torch.Generator().manual_seed(4)) * spread


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: penalise_repetition(x, IDS, 1.3), outside.RepetitionPenaltyLogitsProcessor(1.3)),
        (lambda x: penalise_repetition(x, IDS, 0.7), outside.RepetitionPenaltyLogitsProcessor(0.7)),
        (lambda x: ban(x, torch.tensor([4, 80])), outside.SuppressTokensLogitsProcessor([4, 80])),
        (lambda x: sharpen(x, 0.7), outside.TemperatureLogitsWarper(0.7)),
        (lambda x: keep_top_k(x, 5), outside.TopKLogitsWarper(5)),
        (lambda x: keep_top_k(x, 500), outside.TopKLogitsWarper(500)),
        (lambda x: keep_top_p(x, 0.6), outside.TopPLogitsWarper(0.6)),
        (lambda x: keep_top_p(x, 1e-6), outside.TopPLogitsWarper(1e-6)),
        (lambda x: keep_min_p(x, 0.1), outside.MinPLogitsWarper(0.1)),
        (lambda x: keep_min_p(x, 1.0), outside.MinPLogitsWarper(1.0)),
    ],
)
def test_filter_equals_the_outside_processor(logits, ours, theirs):
    given = logits.clone()
    torch.testing.assert_close(ours(logits), theirs(IDS, logits.clone()))
    assert torch.equal(logits, given)


def test_filters_act_in_the_outside_order(logits):
    sampling = Sampling(repetition_penalty=1.2, temperature=1.7, top_k=20, top_p=0.8, min_p=0.2)
    processors = outside.LogitsProcessorList(
        [
            outside.RepetitionPenaltyLogitsProcessor(1.2),
            outside.TemperatureLogitsWarper(1.7),
            outside.TopKLogitsWarper(20),
            outside.TopPLogitsWarper(0.8),
            outside.MinPLogitsWarper(0.2),
        ]
    )
    expected = processors(IDS, logits.clone())
    sampler = Sampler(sampling, torch.device("cpu"))
    for row in range(3):
        torch.testing.assert_close(sampler.filtered(logits[row], IDS[row]), expected[row])


def test_tokens_are_drawn_as_often_as_they_are_probable():
    logits = torch.tensor([2.0, 0.0, 1.0, -1.0, 1.5])
    sampler = Sampler(Sampling(temperature=0.8, top_k=4, banned_tokens=(2,), seed=3), torch.device("cpu"))
    drawn = [sampler.choose(logits, torch.tensor([0])) for _ in range(4000)]
    counted = Counter(token.id for token in drawn)
    expected = (torch.tensor([2.0, 0.0, -torch.inf, -1.0, 1.5]) / 0.8).softmax(-1)
    assert counted.keys() == {0, 1, 3, 4}
    for token in drawn:
        assert token.probability == pytest.approx(expected[token.id].item())
    for id_, count in counted.items():
        assert count / 4000 == pytest.approx(expected[id_].item(), abs=0.025)  # three standard deviations


def test_token_without_probability_is_never_drawn(monkeypatch):
    """Not even by a random number that falls on the border between two tokens."""
    monkeypatch.setattr(
        "modelcore.generation.sampling.torch.rand", lambda *_, **__: torch.zeros(1, dtype=torch.float64)
    )
    sampler = Sampler(Sampling(temperature=1.0, banned_tokens=(0, 1)), torch.device("cpu"))
    assert sampler.choose(torch.zeros(4), torch.tensor([0])) == (2, 0.5)


@pytest.mark.parametrize("choices", [{"top_k": 5}, {"top_p": 0.9}, {"min_p": 0.1}, {"temperature": 1.0}])
def test_choice_of_drawing_alone_draws(choices):
    assert not Sampling(**choices).greedy


def test_likeliest_is_taken_after_penalty_and_ban():
    logits, ids = torch.tensor([3.0, 2.9, 2.0]), torch.tensor([0])
    for sampling, expected in [
        (Sampling(), 0),
        (Sampling(temperature=0.0, seed=1), 0),
        (Sampling(repetition_penalty=1.1), 1),
        (Sampling(banned_tokens=(0, 1)), 2),
    ]:
        assert Sampler(sampling, torch.device("cpu")).choose(logits, ids) == (expected, 1.0)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": float("inf")}, "temperature is inf"),
        ({"repetition_penalty": 0.0}, "repetition_penalty is 0.0; it must be above 0"),
        ({"temperature": 1.0, "top_k": 0}, "top_k is 0; it must be 1 or more"),
        ({"temperature": 1.0, "top_p": 1.5}, "top_p is 1.5; it is a probability"),
        ({"temperature": 1.0, "min_p": 0.0}, "min_p is 0.0; it is a probability"),
        ({"temperature": 0.0, "top_p": 0.9}, "temperature 0 takes the likeliest token; top_k"),
        ({"max_tokens": 0}, "max_tokens is 0"),
        ({"stop_strings": ("",)}, "A stop string is empty"),
    ],
)
def test_choice_without_meaning_is_refused(choices, said):
    with pytest.raises(GenerationError, match=said):
        Sampling(**choices)
