"""Beam search against the outside implementation, its tree, and the paper's length penalty."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.checkpoints.reader import open_checkpoint
from modelcore.generation.beams import BeamSearch, LengthPenalty, beam_search, grow_beams
from modelcore.generation.error import GenerationError
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from tests.modelcore.shrunk import save_gpt2, save_marian
from tests.modelcore.small_decoders import DECODERS, STACK, build_peaked

PROMPT = [5, 6, 7]
SOURCE = [5, 6, 7, 2, 8]

# Chosen so that texts of the random models end at many lengths.
END_GPT2, END_MARIAN = 1, 8


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    return save_gpt2(folder, vocab_size=11, eos_token_id=END_GPT2), open_checkpoint(folder).load()


@pytest.fixture(scope="module")
def marian(tmp_path_factory):
    folder = tmp_path_factory.mktemp("marian")
    tokens = {"eos_token_id": END_MARIAN, "pad_token_id": 10, "decoder_start_token_id": 10, "forced_eos_token_id": None}
    return save_marian(folder, vocab_size=11, **tokens), open_checkpoint(folder).load()


@pytest.mark.parametrize("exponent", [-1.0, 0.0, 0.6, 1.0, 2.5])
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_decoder_finds_the_outside_hypotheses(gpt2, beams, exponent):
    outside, model = gpt2
    search = BeamSearch(beams, LengthPenalty("power", exponent), max_tokens=20)
    found = beam_search(model, PROMPT, search)
    expected = outside.generate(
        torch.tensor([PROMPT]), max_new_tokens=20, pad_token_id=1, **_outside_search(beams, exponent)
    )
    _assert_same_hypotheses(found.hypotheses, expected, prompt=3)


@pytest.mark.parametrize("exponent", [-1.0, 0.6, 1.0])
@pytest.mark.parametrize("beams", [2, 3, 5])
def test_encoder_decoder_finds_the_outside_hypotheses(marian, beams, exponent):
    outside, model = marian
    search = BeamSearch(beams, LengthPenalty("power", exponent), max_tokens=15)
    found = beam_search(model, [], search, source=SOURCE)
    expected = outside.generate(torch.tensor([SOURCE]), max_new_tokens=15, **_outside_search(beams, exponent))
    _assert_same_hypotheses(found.hypotheses, expected, prompt=1)


def _outside_search(beams: int, exponent: float) -> dict:
    return {
        "num_beams": beams,
        "num_return_sequences": beams,
        "length_penalty": exponent,
        "do_sample": False,
        "return_dict_in_generate": True,
        "output_scores": True,
    }


def _assert_same_hypotheses(hypotheses, expected, prompt):
    assert len(hypotheses) == len(expected.sequences)
    for hypothesis, ids, score in zip(hypotheses, expected.sequences.tolist(), expected.sequences_scores, strict=True):
        length = len(hypothesis.ids)
        assert list(hypothesis.ids) == ids[prompt : prompt + length]
        assert len({*ids[prompt + length :]}) <= 1  # padding
        assert hypothesis.score == pytest.approx(score.item(), rel=1e-4)


def test_search_meets_texts_that_end_early(gpt2, marian):
    """Else the tests above would compare texts of one length only."""
    for model, prompt, source in [(gpt2[1], PROMPT, None), (marian[1], [], SOURCE)]:
        found = beam_search(model, prompt, BeamSearch(5, max_tokens=15), source=source)
        assert len({len(hypothesis.ids) for hypothesis in found.hypotheses}) > 1


def test_one_beam_is_greedy(gpt2):
    steps = generate(gpt2[1], PROMPT, Sampling(max_tokens=20))
    assert beam_search(gpt2[1], PROMPT, BeamSearch(1, max_tokens=20)).hypotheses[0].ids == tuple(s.id for s in steps)


def test_penalty_is_the_papers():
    assert [LengthPenalty().of(length) for length in (1, 7)] == pytest.approx([1.0, 2**0.6])
    assert LengthPenalty("power", 0.5).of(16) == 4


def test_tree_leads_from_every_hypothesis_to_the_prompt(gpt2):
    found = beam_search(gpt2[1], PROMPT, BeamSearch(4, max_tokens=12))
    for number, node in enumerate(found.tree):
        parent = None if node.parent is None else found.tree[node.parent]
        assert node.number == number
        assert (node.place, node.total) == (
            3 if parent is None else parent.place + 1,
            pytest.approx(node.log_probability + (0 if parent is None else parent.total), abs=1e-4),
        )
        assert parent is None or not parent.ended
    for hypothesis in found.hypotheses:
        path = [found.tree[hypothesis.node]]
        while path[-1].parent is not None:
            path.append(found.tree[path[-1].parent])
        assert tuple(node.id for node in reversed(path)) == hypothesis.ids
        assert path[0].ended
        assert hypothesis.score == pytest.approx(path[0].total / LengthPenalty().of(len(path)))


def test_each_step_is_handed_over_before_the_next_is_read(gpt2):
    steps = grow_beams(gpt2[1], PROMPT, BeamSearch(3, max_tokens=5))
    for place in range(3, 8):
        kept = next(steps)
        assert {node.place for node in kept} == {place}
        assert sum(not node.ended for node in kept) == (3 if place < 7 else 0)


@pytest.mark.parametrize("source", [None, [4, 5, 6, 7]])
@pytest.mark.parametrize("name", ["dynamic", "windows", "prefix"])
def test_beams_follow_their_own_past(name, source):
    """A hypothesis' total is what the model says of its text when it reads it at once."""
    config = DECODERS[name] if source is None else replace(DECODERS[name], encoder=STACK, start_token=0)
    model, sources = build_peaked(config), [] if source is None else [torch.tensor([source])]
    search = BeamSearch(4, LengthPenalty("power", 0.0), max_tokens=14)
    found = beam_search(model, [1, 2, 3], search, source=source)
    for hypothesis in found.hypotheses:
        total = 0.0
        for length, id_ in enumerate(hypothesis.ids):
            with torch.inference_mode():
                logits = model(*sources, torch.tensor([[1, 2, 3, *hypothesis.ids[:length]]]))
            total += logits[0, -1].log_softmax(-1)[id_].item()
        assert hypothesis.score == pytest.approx(total, rel=1e-4)


def test_banned_tokens_are_in_no_text(gpt2):
    found = beam_search(gpt2[1], PROMPT, BeamSearch(3, max_tokens=8, banned_tokens=(2, 3), stop_tokens=(4,)))
    assert not {2, 3} & {node.id for node in found.tree}
    assert all(node.ended for node in found.tree if node.id in (END_GPT2, 4))


def test_more_beams_than_tokens_are_filled_as_they_can(gpt2):
    found = beam_search(gpt2[1], PROMPT, BeamSearch(40, max_tokens=3))
    assert len({hypothesis.ids for hypothesis in found.hypotheses}) == 40


def test_no_beams_are_refused():
    with pytest.raises(GenerationError, match="beams is 0; it must be 1 or more"):
        BeamSearch(0)
