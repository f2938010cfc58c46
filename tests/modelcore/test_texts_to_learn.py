"""Texts of the user's that are learned, plain, masked and in pairs: what is asked of them, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest

from modelcore.training.assignments import assignment_of
from modelcore.training.assignments.given_pairs import read_pairs
from modelcore.training.assignments.masked import SPECIALS, mask_window
from modelcore.training.assignments.spans import cut_spans
from modelcore.training.pairs import IGNORED
from modelcore.training.plan import OF_A_TEXT, TOKENIZERS, PlanError, TrainingPlan

VERSE = "In the beginning God created the heaven and the earth. And the earth was without form, and void. " * 30
MASK = SPECIALS.tokens.index("[MASK]")
WORDS = list(range(len(SPECIALS.tokens), 300))
PAIRS = "\n".join(f"{left}{right}\t{right}{left}" for left in "abcd" for right in "klmnop")


def refusal(assignment: Any, text: str, **more: Any) -> PlanError:
    with pytest.raises(PlanError) as refused:
        assignment_of(TrainingPlan(assignment=assignment, text=text, **({"length": 16} | more)))
    return refused.value


@pytest.mark.parametrize(
    ("third", "said"),
    [
        ("only a source", "Line 3 has no tab"),
        ("", "Line 3 is empty"),
        ("a\tb\tc", "Line 3 has 3 columns"),
        ("\tb", "Line 3 has no source"),
        ("a\t ", "Line 3 has no target"),
        ("gr\ufffdn\tgreen", "Line 3 holds bytes that are no text"),
        ("gr\ud800n\tgreen", "Line 3 holds bytes that are no text"),
    ],
)
def test_line_that_is_no_pair_is_refused_by_its_number(third: str, said: str) -> None:
    refused = refusal("pairs", f"a\tb\nc\td\n{third}\ne\tf\n")
    assert refused.field == "text" and said in refused.message


def test_pairs_are_read_as_windows_writes_them() -> None:
    told = [(pair.source, pair.target) for pair in read_pairs("\ufeffa\tb\r\nc d\te\r\n")]
    assert told == [("a", "b"), ("c d", "e")]


def test_pair_that_is_too_long_says_how_long_it_is() -> None:
    refused = refusal("pairs", f"{PAIRS}\n{'x' * 40}\ty", tokenizer="characters")
    assert (refused.field, refused.limit) == ("length", 41) and "Line 25 has 41 tokens" in refused.message


def test_few_pairs_are_refused_with_how_many_there_must_be() -> None:
    refused = refusal("pairs", "a\tb c\nd\te f\n")
    assert refused.limit == 10 and "2 different sources" in refused.message


def test_source_that_is_measured_is_never_trained_on() -> None:
    twice = PAIRS + "\n" + PAIRS.replace("\t", "\tthe other: ")
    assignment: Any = assignment_of(TrainingPlan(assignment="pairs", text=twice, length=32, batch=200))
    held_out = {tuple(row) for row in assignment._held_out.source_BK.tolist()}
    assert held_out and held_out.isdisjoint(tuple(row) for row in assignment.batch(1).source_BK.tolist())


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("text", ["a" * 2000, "a " * 2000, " a\n" * 2000])
def test_text_without_variety_is_refused_or_learned_but_never_breaks(kind: Any, text: str) -> None:
    names: list[Any] = ["text", "masked"]
    for assignment in names:
        try:
            assignment_of(TrainingPlan(assignment=assignment, text=text, tokenizer=kind, length=16))
        except PlanError as refused:
            assert refused.message.endswith("."), refused


@pytest.mark.parametrize("assignment", ["text", "masked"])
def test_one_character_again_and_again_is_refused(assignment: str) -> None:
    assert "one token again and again" in refusal(assignment, "a" * 2000, tokenizer="characters").message


def test_pairs_with_one_target_token_are_refused() -> None:
    lines = "\n".join(f"{letter}\tx" for letter in "abcdefghijklmn")
    assert "one token again and again" in refusal("pairs", lines).message


@pytest.mark.parametrize("assignment", sorted(OF_A_TEXT))
def test_text_without_tokens_is_refused(assignment: str) -> None:
    assert refusal(assignment, " \n ").field == "text"


def test_masks_follow_the_paper() -> None:
    window = list(range(100, 200))
    generator = random.Random(0)
    hidden = replaced = kept = 0
    for _ in range(400):
        read, asked = mask_window(window, MASK, WORDS, generator)
        places = [place for place, label in enumerate(asked) if label != IGNORED]
        assert len(places) == 15 and all(asked[place] == window[place] for place in places)
        assert all(read[place] == window[place] for place in range(100) if place not in places)
        for place in places:
            hidden += read[place] == MASK
            kept += read[place] == window[place]
            replaced += read[place] not in (MASK, window[place])
            assert read[place] == MASK or read[place] >= len(SPECIALS.tokens)
    assert (hidden / 6000, replaced / 6000, kept / 6000) == pytest.approx((0.8, 0.1, 0.1), abs=0.02)


def test_masked_windows_begin_and_end_as_bert_expects() -> None:
    assignment = assignment_of(TrainingPlan(assignment="masked", text=VERSE, tokenizer="wordpiece", length=16))
    batch = assignment.batch(1)
    assert batch.ids_BN.shape == (32, 16)
    assert set(batch.ids_BN[:, 0].tolist()) == {2} and set(batch.ids_BN[:, -1].tolist()) == {3}
    assert assignment.probe.ids is not None and MASK in assignment.probe.ids


def test_spans_are_cut_out_as_the_paper_shows() -> None:
    """Each stretch after its mark, the text between them in the source, and a last mark (figure 2)."""
    window, marks = list(range(100, 160)), [1, 2, 3, 4]
    for seed in range(50):
        source, target = cut_spans(window, marks, random.Random(seed))
        assert [id_ for id_ in source if id_ in marks] == [1, 2, 3] and [id_ for id_ in target if id_ in marks] == marks
        assert len(target) - len(marks) == round(0.15 * len(window))
        stretches = {mark: target[target.index(mark) + 1 : target.index(mark + 1)] for mark in marks[:3]}
        restored = [id_ for one in source for id_ in stretches.get(one, [one])]
        assert all(stretches.values()) and restored == window


def test_source_and_target_of_spans_end_as_texts_do() -> None:
    assignment: Any = assignment_of(TrainingPlan(assignment="spans", text=VERSE, length=24, tokenizer="characters"))
    batch = assignment.batch(1)
    assert batch.source_BK.shape[0] == 32 and batch.source_BK.shape[1] <= 24
    assert set(batch.source_BK[:, -1].tolist()) == {1} and set(batch.target_BQ[:, 0].tolist()) == {0}


@pytest.mark.parametrize("assignment", ["dates", "numbers", "pairs", "spans", "catalogs"])
def test_batch_of_tokens_is_filled_and_not_beyond(assignment: Any) -> None:
    text = {"pairs": PAIRS, "spans": VERSE}.get(assignment)
    length = 24 if assignment == "spans" else 64
    plan = TrainingPlan(assignment=assignment, text=text, length=length, batch_tokens=600)
    learned = assignment_of(plan)
    sizes = [learned.tokens_of(learned.batch(step)) for step in range(1, 9)]
    assert max(sizes) <= 600 and sum(sizes) / len(sizes) > 400, sizes
    assert learned.tokens_of(learned.batch(3)) == sizes[2]


def test_pairs_of_a_batch_of_tokens_are_of_about_one_length() -> None:
    """So little of it is padding (Vaswani et al. 2017, 5.1)."""
    drawn = assignment_of(TrainingPlan(assignment="numbers", batch=40))
    alike = assignment_of(TrainingPlan(assignment="numbers", batch_tokens=600))

    def padding(assignment: Any) -> float:
        batches = [assignment.batch(step) for step in range(1, 9)]
        return sum(float((batch.source_BK == 0).float().mean()) for batch in batches) / len(batches)

    assert padding(alike) < padding(drawn) * 0.6
