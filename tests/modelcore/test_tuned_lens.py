"""The tuned lens: starts as the logit lens, learns what the model says, and can be put aside while it does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import transformers

from modelcore.analysis import tuned_lens
from modelcore.analysis.lens import read_lens
from modelcore.analysis.request import RequestError, TraceRequest, label_ids
from modelcore.analysis.stream import Stream, read_stream
from modelcore.analysis.tuned_lens import Lesson, Tuning, advance, divergences, lesson_of, require_tunable
from modelcore.analysis.tuned_lens_file import (
    AboutLens,
    open_lesson,
    open_tuned_lens,
    open_tuning,
    save_lesson,
    save_tuned_lens,
    save_tuning,
)
from modelcore.checkpoints.digest import digest_of
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.models.build import build
from modelcore.tokenizer import Encoding
from tests.modelcore.shrunk import save_gpt2, save_marian, save_model
from tests.modelcore.test_lens import BERT
from workers.protocol import lenses

ABOUT = AboutLens(checkpoint="d", tokens=300, steps=2, before=[1.0], after=[0.5], trained_at=7.0)


@pytest.fixture
def model(tmp_path):
    save_gpt2(tmp_path / "model")
    return open_checkpoint(tmp_path / "model").load()


@pytest.fixture
def lesson(model) -> Lesson:
    torch.manual_seed(4)
    *_, lesson = lesson_of(model, label_ids(torch.randint(1, 83, (300,)).tolist(), None))
    assert lesson is not None
    return lesson


def test_untrained_lens_is_the_logit_lens(model, lesson):
    stream = read_stream(model, TraceRequest(ids=[5, 6, 7, 8, 9]))
    plain = read_lens(model, stream, range(5))
    tuned = read_lens(model, stream, range(5), translators=Tuning.begin(lesson).lens)
    assert torch.equal(plain.ids, tuned.ids)
    assert torch.allclose(plain.probabilities, tuned.probabilities, atol=1e-6)


def test_translators_act_on_every_layer_but_the_last(model, lesson):
    lens = Tuning.begin(lesson).lens
    lens.bias_DW.add_(3 * torch.randn(lens.bias_DW.shape))
    stream = read_stream(model, TraceRequest(ids=[5, 6, 7, 8, 9]))
    plain, tuned = (read_lens(model, stream, range(5), translators=used) for used in (None, lens))
    assert [torch.allclose(a, b, atol=1e-6) for a, b in zip(plain.probabilities, tuned.probabilities, strict=True)] == [
        False,
        False,
        False,
        True,
    ]
    translated = stream.x_LNW[1] @ lens.weight_DWW[1].T + lens.bias_DW[1]
    by_hand = read_lens(model, Stream("decoder", stream.ids, translated[None]), range(5))
    assert torch.allclose(by_hand.probabilities[0], tuned.probabilities[1], atol=1e-5)


def test_divergence_is_that_of_the_definition(model, lesson):
    told = lesson.parts[2]
    scores = [model.head(model.decoder.norm(x[told.start : told.stop]), model.tokens) for x in lesson.x_LNW]
    shares = [score.double().softmax(-1) for score in scores]
    for depth, found in enumerate(divergences(model, lesson, Tuning.begin(lesson).lens, told)):
        by_hand = (shares[-1] * (shares[-1] / shares[depth]).log()).sum(-1).mean()
        assert found == pytest.approx(float(by_hand), rel=1e-4)


def test_training_brings_every_layer_nearer_on_tokens_that_taught_nothing(model, lesson, monkeypatch):
    monkeypatch.setattr(tuned_lens, "STEPS", 100)
    tuning = Tuning.begin(lesson)
    while not tuning.is_done:
        advance(model, lesson, tuning)
    after = divergences(model, lesson, tuning.lens, lesson.parts[2])
    assert len(after) == len(tuning.before) == 3
    assert all(now < 0.9 * before for now, before in zip(after, tuning.before, strict=True)), (tuning.before, after)


def test_no_part_of_the_text_both_teaches_and_tells(lesson):
    teach, choose, tell = lesson.parts
    assert (teach.start, teach.stop, choose.stop, tell.stop) == (0, choose.start, tell.start, 300)
    assert len(teach) > len(choose) > 0 < len(tell)


def test_training_that_is_put_aside_goes_on_as_if_it_had_not_been(model, lesson, tmp_path):
    at_once, aside = Tuning.begin(lesson), Tuning.begin(lesson)
    save_lesson(tmp_path, lesson)
    for _ in range(4):
        advance(model, lesson, at_once)
        save_tuning(tmp_path, aside)
        read, taken_up = open_lesson(tmp_path), open_tuning(tmp_path)
        assert read is not None and taken_up is not None
        advance(model, read, taken_up)
        aside = taken_up
    assert (aside.step, aside.before, aside.least) == (at_once.step, at_once.before, at_once.least)
    assert all(torch.equal(aside.tensors[name], tensor) for name, tensor in at_once.tensors.items())


def test_nothing_is_put_aside_before_it_has_begun(tmp_path):
    assert (open_lesson(tmp_path), open_tuning(tmp_path)) == (None, None)


def test_lens_comes_back_from_its_file_and_tells_the_site_about_itself(lesson, tmp_path):
    lens = Tuning.begin(lesson).lens
    save_tuned_lens(lenses.place(tmp_path, "tiny"), lens, ABOUT)
    again = open_tuned_lens(lenses.place(tmp_path, "tiny"), "d")
    assert torch.equal(again.weight_DWW, lens.weight_DWW) and torch.equal(again.bias_DW, lens.bias_DW)
    told = lenses.about(tmp_path, "tiny")
    assert told is not None and AboutLens(**told) == ABOUT
    assert lenses.LEAST_TOKENS == tuned_lens.LEAST_TOKENS


@pytest.mark.parametrize(("content", "code"), [(None, "no_tuned_lens"), (b"cut", "no_tuned_lens")])
def test_lens_that_is_not_there_or_broken_is_refused(tmp_path, content, code):
    place = lenses.place(tmp_path, "tiny")
    if content is not None:
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    with pytest.raises(RequestError) as refused:
        open_tuned_lens(place, "d")
    assert refused.value.code == code
    assert lenses.about(tmp_path, "tiny") is None


def test_lens_of_other_weights_is_refused(model, lesson, tmp_path):
    place = tmp_path / "lens.safetensors"
    before = digest_of(tmp_path / "model")
    save_tuned_lens(place, Tuning.begin(lesson).lens, replace(ABOUT, checkpoint=before))
    assert digest_of(tmp_path / "model") == before
    save_gpt2(tmp_path / "model", n_layer=2)
    with pytest.raises(RequestError, match="files have changed"):
        open_tuned_lens(place, digest_of(tmp_path / "model"))


def test_special_tokens_around_a_text_stand_around_each_window_and_teach_nothing(tmp_path):
    save_model(transformers.BertForMaskedLM, BERT, tmp_path)
    model = open_checkpoint(tmp_path).load()
    ids = [1, *torch.randint(5, 61, (260,)).tolist(), 2]
    text = Encoding(ids, [(0, 0)] * 262, [""] * 262, [True, *[False] * 260, True])
    *_, lesson = lesson_of(model, text)
    assert lesson is not None and lesson.x_LNW.shape == (3, 260, 30)
    window = read_stream(model, TraceRequest(ids=[1, *ids[1:36], 2]))
    assert torch.allclose(lesson.x_LNW[:, :35], window.x_LNW[:, 1:-1])


def test_short_text_is_refused_with_what_is_needed(model):
    with pytest.raises(RequestError, match="255 tokens; a tuned lens needs 256"):
        next(lesson_of(model, label_ids([5] * 255, None)))


def test_models_without_one_text_or_a_head_are_refused(tmp_path):
    save_marian(tmp_path)
    bare = ModelConfig(vocabulary=9, positions=9, width=8, encoder=StackConfig(1, 1, 8), head=HeadConfig("hidden"))
    for model, code in ((open_checkpoint(tmp_path).load(), "not_tunable"), (build(bare).eval(), "no_lens")):
        with pytest.raises(RequestError) as refused:
            require_tunable(model)
        assert refused.value.code == code
