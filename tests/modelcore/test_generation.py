"""Writing step by step: the outside implementation's tokens, and why a text ends."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.checkpoints.reader import open_checkpoint
from modelcore.generation.reader import WholeReader
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.tokenizer import train_byte_level_bpe
from tests.modelcore.shrunk import save_gpt2, save_marian
from tests.modelcore.small_decoders import DECODERS, build_peaked

SOURCE = [5, 6, 7, 20, 0]


@pytest.fixture
def gpt2(tmp_path):
    outside = save_gpt2(tmp_path)
    return outside, open_checkpoint(tmp_path).load()


@pytest.fixture
def marian(tmp_path):
    outside = save_marian(tmp_path, forced_eos_token_id=None)
    return outside, open_checkpoint(tmp_path).load()


@pytest.fixture(scope="module")
def decoder():
    return build_peaked(DECODERS["learned"])


def _ids(steps) -> list[int]:
    return [step.id for step in steps]


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_gpt2_writes_the_outside_tokens(gpt2, penalty):
    outside, model = gpt2
    expected = outside.generate(
        torch.tensor([[5, 6, 7]]), max_new_tokens=60, do_sample=False, repetition_penalty=penalty
    )
    steps = list(generate(model, [5, 6, 7], Sampling(max_tokens=60, repetition_penalty=penalty)))
    assert _ids(steps) == expected[0, 3:].tolist()
    assert [step.place for step in steps] == list(range(3, 3 + len(steps)))


@pytest.mark.parametrize("penalty", [1.0, 1.3])
def test_marian_writes_the_outside_tokens(marian, penalty):
    outside, model = marian
    expected = outside.generate(
        torch.tensor([SOURCE]), max_length=40, num_beams=1, do_sample=False, repetition_penalty=penalty
    )[0].tolist()
    steps = list(generate(model, [], Sampling(max_tokens=60, repetition_penalty=penalty), source=SOURCE))
    assert [70, *_ids(steps)] == expected
    assert steps[-1].finished == ("end_token" if expected[-1] == 0 else "positions")


def test_probabilities_are_the_models_own(gpt2):
    outside, model = gpt2
    sampling = Sampling(temperature=1.5, top_k=3, seed=1, max_tokens=12)
    steps = list(generate(model, [5, 6, 7], sampling, alternatives=4))
    logits = outside(torch.tensor([[5, 6, 7, *_ids(steps)]])).logits[0, 2:-1]
    for step, plain, drawn in zip(steps, logits.softmax(-1), (logits / 1.5).softmax(-1), strict=True):
        likeliest = plain.topk(4)
        assert step.probability == pytest.approx(plain[step.id].item(), abs=1e-5)
        assert step.sampled_probability == pytest.approx((drawn[step.id] / drawn.topk(3).values.sum()).item(), abs=1e-5)
        assert [alternative.id for alternative in step.alternatives] == likeliest.indices.tolist()
        assert [alternative.probability for alternative in step.alternatives] == pytest.approx(
            likeliest.values.tolist(), abs=1e-5
        )


def test_same_seed_writes_the_same_text(decoder):
    def written(seed):
        return _ids(generate(decoder, [1, 2], Sampling(temperature=2.0, seed=seed, max_tokens=30)))

    torch.manual_seed(0)
    first = written(5)
    torch.manual_seed(1)
    assert written(5) == first
    assert written(6) != first
    assert written(None) != written(None)


def test_nothing_is_captured_unless_asked_for(decoder):
    for step in generate(decoder, [1, 2], Sampling(max_tokens=3), alternatives=0):
        assert (step.rows, step.alternatives, step.written, step.text) == ({}, (), "", f"#{step.id}")


def test_why_a_text_ends(decoder):
    def ended(sampling, prompt=(1, 2), model=decoder):
        steps = list(generate(model, list(prompt), sampling))
        assert [step.finished for step in steps[:-1]] == [None] * (len(steps) - 1)
        return steps[-1].finished, _ids(steps)

    ending, ids = ended(Sampling(max_tokens=9))
    assert (ending, len(ids)) == ("length", 9)
    assert ended(Sampling(stop_tokens=(ids[3],))) == ("stop_token", ids[: ids.index(ids[3]) + 1])
    ending, filling = ended(Sampling(max_tokens=100))
    assert (ending, len(filling)) == ("positions", 62)
    ends = build_peaked(replace(DECODERS["learned"], end_token=ids[3]))
    assert ended(Sampling(max_tokens=100), model=ends) == ("end_token", ids[: ids.index(ids[3]) + 1])
    assert ids[3] not in ended(Sampling(banned_tokens=(ids[3],)))[1]


def test_stop_string_ends_the_text_and_is_not_given_out():
    tokenizer = train_byte_level_bpe(["the house of the lord"] * 9, 280)
    model = build_peaked(replace(DECODERS["learned"], vocabulary=280))
    prompt = tokenizer.encode("the house").ids
    steps = list(generate(model, prompt, Sampling(temperature=1.0, seed=4, max_tokens=40), tokenizer=tokenizer))
    text = "".join(step.written for step in steps)
    assert text == tokenizer.decode(_ids(steps))
    assert steps[0].text == tokenizer.readable(steps[0].id)
    stop = text[9:13]
    sampling = Sampling(temperature=1.0, seed=4, max_tokens=40, stop_strings=(stop,))
    steps = list(generate(model, prompt, sampling, tokenizer=tokenizer))
    assert "".join(step.written for step in steps) == text[: text.index(stop)]
    assert steps[-1].finished == "stop_string"


@pytest.mark.parametrize("name", ["rotary", "random blocks"])
def test_model_without_a_cache_writes_the_same(name, monkeypatch):
    model = build_peaked(DECODERS[name])
    cached = list(generate(model, [1, 2], Sampling(max_tokens=14), rows=True))
    monkeypatch.setattr("modelcore.generation.steps.open_reader", WholeReader)
    whole = list(generate(model, [1, 2], Sampling(max_tokens=14), rows=True))
    assert _ids(whole) == _ids(cached)
    for ours, theirs in zip(cached, whole, strict=True):
        for site, row in theirs.rows.items():
            torch.testing.assert_close(ours.rows[site].probabilities_HK, row.probabilities_HK, atol=2e-5, rtol=0)


def test_gradients_are_left_as_they_were(decoder):
    for _ in generate(decoder, [1, 2], Sampling(max_tokens=2)):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()
