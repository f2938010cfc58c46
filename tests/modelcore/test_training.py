"""What training is made of: tasks, windows with a repeated span, schedules, and a loop that learns."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from modelcore.analysis.heads import score_heads
from modelcore.config import ModelConfig, StackConfig
from modelcore.models.build import build
from modelcore.tokenizer import train_byte_level_bpe
from modelcore.training import corpora, dictd, tasks
from modelcore.training.data import Repetition, repeat_span, token_stream, windows
from modelcore.training.leaning import lean
from modelcore.training.loop import Optimisation, train
from modelcore.training.matmul import choose_matmul
from modelcore.training.objectives import next_token, target_given_source
from modelcore.training.pairs import IGNORED, draw_many, pair_batch
from modelcore.training.schedules import warmup_cosine

STACK = StackConfig(layers=1, heads=2, feedforward_width=32)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (21, "twenty-one"),
        (100, "one hundred"),
        (3205, "three thousand two hundred and five"),
        (70_013, "seventy thousand and thirteen"),
        (999_999, "nine hundred and ninety-nine thousand nine hundred and ninety-nine"),
    ],
)
def test_numbers_in_words(number, words):
    assert tasks.cardinal(number, joined=True) == words
    assert tasks.cardinal(number, joined=False) == words.replace(" and ", " ")


def test_days_and_years_as_they_are_read_out():
    assert [tasks.ordinal(day) for day in (1, 12, 14, 20, 23, 31)] == [
        *("first", "twelfth", "fourteenth"),
        *("twentieth", "twenty-third", "thirty-first"),
    ]
    assert tasks.year_in_words(1789, joined=True) == "seventeen eighty-nine"
    assert tasks.year_in_words(1905, joined=True) == "nineteen oh five"
    assert tasks.year_in_words(1900, joined=True) == "nineteen hundred"
    assert tasks.year_in_words(2006, joined=True) == "two thousand and six"
    assert tasks.year_in_words(2018, joined=True) == "twenty eighteen"


def test_dates_name_the_words_that_their_digits_come_from():
    for example in (tasks.draw_date(random.Random(seed)) for seed in range(50)):
        year, month, day = example.target.split("-")
        parts = [(example.target[to.start : to.stop], example.source[of.start : of.stop]) for to, of in example.origins]
        assert [part for part, _ in parts] == [year, month, day]
        assert parts[2][1] == tasks.ordinal(int(day))


def test_held_out_targets_are_never_drawn_for_training():
    generator = random.Random(0)
    trained = {example.target for example in draw_many(tasks.draw_example, generator, 500, held_out=False)}
    held_out = {example.target for example in draw_many(tasks.draw_example, generator, 50, held_out=True)}
    assert not trained & held_out


@pytest.mark.parametrize("random_share", [0.0, 1.0])
def test_repeated_span_comes_twice(random_share):
    generator = np.random.default_rng(0)
    for _ in range(50):
        window = np.arange(40)
        repeat_span(window, 1000, Repetition(1.0, random_share, shortest_span=4), generator)
        later = {int(token) for place, token in enumerate(window) if token in window[:place]}
        assert len(later) >= 4 or random_share


def test_periodic_window_is_nothing_but_its_span():
    generator = np.random.default_rng(0)
    window = np.arange(40)
    repeat_span(window, 1000, Repetition(1.0, 1.0, periodic=True), generator)
    periods = [period for period in range(8, 21) if (window[period:] == window[:-period]).all()]
    assert periods


def test_windows_draw_from_every_stream_and_keep_its_order():
    streams = [np.arange(0, 100, dtype=np.int32), np.arange(500, 600, dtype=np.int32)]
    batches = windows(
        streams,
        [0.5, 0.5],
        batch=16,
        length=9,
        vocabulary=600,
        repetition=Repetition(0.0, 0.0),
        generator=np.random.default_rng(0),
    )
    batch = next(batches)
    assert batch.shape == (16, 9)
    assert (batch.diff(dim=1) == 1).all()
    assert {int(first) // 500 for first in batch[:, 0]} == {0, 1}


def test_token_stream_ends_every_text():
    tokenizer = train_byte_level_bpe(["a b"], 260, special=["<|endoftext|>"])
    stream = token_stream(["a", "b"], tokenizer, separator=0)
    assert (stream == 0).tolist() == [False, True, False, True]


def test_learning_rate_warms_up_and_falls_to_its_floor():
    rate = warmup_cosine(peak=1.0, warmup=10, steps=110, floor=0.1)
    assert [rate(step) for step in (5, 10, 60, 110)] == pytest.approx([0.5, 1.0, 0.55, 0.1])


def test_decoder_learns_a_cycle():
    torch.manual_seed(0)
    model = build(ModelConfig(vocabulary=8, positions=16, width=16, decoder=STACK))
    batch = torch.stack([(torch.arange(17) + start) % 8 for start in range(8)])
    steps = list(train(model, [batch] * 80, next_token, warmup_cosine(1e-2, 5, 80), 80))
    assert [done.step for done in steps] == list(range(1, 81))
    assert steps[0].loss > 1.5
    assert steps[-1].loss < 0.1
    assert not model.training


def test_encoder_decoder_learns_from_padded_pairs():
    torch.manual_seed(0)
    tokenizer = train_byte_level_bpe(["one two 12"] * 9, 270, special=["<pad>", "</s>"], end_token="</s>")
    config = ModelConfig(
        vocabulary=270,
        positions=16,
        width=16,
        decoder=STACK,
        encoder=STACK,
        position_encoding="sinusoidal",
        norm_placement="post",
        embedding_scale=4.0,
        start_token=0,
        end_token=1,
        pad_token=0,
    )
    pairs = pair_batch([tasks.Example("one", "1"), tasks.Example("one two", "12")], tokenizer, config)
    assert pairs.source_lengths_B.tolist() == [2, 3]
    assert (pairs.labels_BQ == IGNORED).sum() == 1 or pairs.labels_BQ.shape[1] == 2
    steps = train(build(config), [pairs] * 60, target_given_source, warmup_cosine(1e-2, 5, 60), 60, Optimisation())
    assert [done.loss for done in steps][-1] < 0.1


def test_random_model_has_neither_kind_of_head():
    """Its scores lie near those of an even spread."""
    torch.manual_seed(0)
    scores = score_heads(build(ModelConfig(vocabulary=50, positions=64, width=16, decoder=STACK)).eval(), span=20)
    assert len(scores) == 1
    assert all(0.01 < value < 0.1 for score in scores for value in score.induction + score.previous_token)


def test_leaning_model_looks_back_by_fixed_offsets_and_has_no_induction_head_yet():
    torch.manual_seed(0)
    config = ModelConfig(vocabulary=500, positions=64, width=64, decoder=StackConfig(2, 4, 64))
    model = build(config).eval()
    lean(model)
    first, second = score_heads(model, span=20)
    assert [value > 0.3 for value in first.previous_token] == [True, True, False, False]
    assert max(first.induction + second.induction) < 0.1


def test_missing_text_names_the_package_to_install(monkeypatch):
    monkeypatch.setattr(dictd, "FOLDER", Path("/nowhere"))
    with pytest.raises(corpora.MissingPackageError, match="apt-get install dict-devil"):
        corpora.devils_dictionary()


def test_matrix_products_stay_exact_whatever_is_chosen():
    before = torch.get_float32_matmul_precision()
    try:
        said = choose_matmul(rows=64, width=32)
        assert said.split()[0] == torch.get_float32_matmul_precision()
    finally:
        torch.set_float32_matmul_precision(before)
