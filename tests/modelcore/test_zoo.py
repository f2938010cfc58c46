"""The committed checkpoints: they open outside with the same logits, and show what their cards claim."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import torch
import transformers
from PIL import Image
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from modelcore.analysis.heads import score_heads
from modelcore.analysis.picture import read_picture
from modelcore.analysis.trace import SiteTraced, TokensRead, TraceRequest, trace
from modelcore.checkpoints.reader import Checkpoint, open_checkpoint
from modelcore.config import AttentionSite
from modelcore.manifest import describe
from modelcore.training.pairs import draw_many
from modelcore.training.patterns import draw_brackets, draw_repeats
from modelcore.training.recipes.digits import Digits, held_out_digits, ink_heads
from modelcore.training.recipes.digits import accuracy as digits_accuracy
from modelcore.training.recipes.numbers import measure_accuracy
from modelcore.training.recipes.patterns import LENGTH, accuracy, as_batch, strongest_head
from modelcore.training.tasks import draw_example

ZOO = Path(__file__).resolve().parents[2] / "modelcore" / "zoo"
TEXT_NAMES = ("numbers", "patterns", "prose")
NAMES = ("digits", *TEXT_NAMES)
FILE_LIMIT_BYTES = 25_000_000


def card(name: str) -> dict:
    return json.loads((ZOO / name / "card.json").read_text(encoding="utf-8"))


def example(name: str, title: str | None = None) -> dict:
    """The card's example of this title, else the one that it opens with."""
    examples = card(name)["examples"]
    return next((one for one in examples if one["title"] == title), examples[0])


@pytest.fixture(scope="module")
def checkpoints() -> dict[str, Checkpoint]:
    return {name: open_checkpoint(ZOO / name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_checkpoint_is_small_and_whole(name):
    manifest = describe(ZOO / name)
    assert manifest["size_bytes"] <= FILE_LIMIT_BYTES
    assert manifest["has_tokenizer"] == (name in TEXT_NAMES)
    assert manifest["unused"] == []


@pytest.mark.parametrize("name", NAMES)
def test_examples_point_at_heads_that_exist_and_their_texts_fit(name, checkpoints):
    config = checkpoints[name].config
    assert card(name)["id"] == name
    assert card(name)["examples"]
    for example in card(name)["examples"]:
        site = AttentionSite.parse(example["site"])
        assert site in config.sites()
        assert 0 <= example["head"] < config.stack(site.stack).heads
        assert example["title"] and example["finding"]
        if "picture" in example:
            assert read_picture(ZOO / name / example["picture"], config.image, ZOO / name).pixels.isfinite().all()
        else:
            assert len(checkpoints[name].tokenizer.encode(example["text"])) <= config.positions


def test_prose_opens_outside_with_the_same_logits(checkpoints):
    ids = torch.tensor([checkpoints["prose"].tokenizer.encode(example("prose")["text"]).ids])
    outside = transformers.GPT2LMHeadModel.from_pretrained(ZOO / "prose").eval()
    _assert_same_logits(checkpoints["prose"].load()(ids), outside(ids).logits)


def test_patterns_opens_outside_with_the_same_logits(checkpoints):
    ids = torch.tensor([checkpoints["patterns"].tokenizer.encode(example("patterns")["text"]).ids])
    outside = transformers.GPT2LMHeadModel.from_pretrained(ZOO / "patterns").eval()
    _assert_same_logits(checkpoints["patterns"].load()(ids), outside(ids).logits)


def test_numbers_opens_outside_with_the_same_logits(checkpoints):
    tokenizer = checkpoints["numbers"].tokenizer
    source = torch.tensor([tokenizer.encode(example("numbers")["text"]).ids])
    target = torch.tensor([[0, *tokenizer.encode("1789-07-14").ids[:-1]]])
    outside = transformers.MarianMTModel.from_pretrained(ZOO / "numbers").eval()
    _assert_same_logits(checkpoints["numbers"].load()(source, target), outside(source, decoder_input_ids=target).logits)


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_tokenizer_opens_outside_with_the_same_ids(name, checkpoints):
    outside = transformers.PreTrainedTokenizerFast(tokenizer_file=str(ZOO / name / "tokenizer.json"))
    text = example(name)["text"] + " ✅"
    assert outside(text).input_ids == checkpoints[name].tokenizer.encode(text).ids


def test_prose_has_an_induction_head_and_a_previous_token_head_below_it(checkpoints):
    """On random tokens that come twice: what the card claims, measured again on other tokens."""
    scores = score_heads(checkpoints["prose"].load(), seed=1)
    induction = max((value, score.site.layer) for score in scores for value in score.induction)
    previous = max((value, score.site.layer) for score in scores for value in score.previous_token)
    assert induction[0] > 0.5
    assert previous[0] > 0.5
    assert previous[1] < induction[1]
    assert induction[0] == pytest.approx(card("prose")["measured"]["induction"]["score"], abs=0.1)


def test_prose_repeats_what_it_read(checkpoints):
    """The card's head, on the card's example: the second mention looks at what followed the first."""
    checkpoint, shown = checkpoints["prose"], example("prose")
    events = list(trace(checkpoint.load(), TraceRequest(text=example("prose")["text"]),
                        checkpoint.tokenizer))  # fmt: skip
    site = next(event for event in events if isinstance(event, SiteTraced) and str(event.map.site) == shown["site"])
    ids = events[0].encoding.ids
    map_NN = site.map.tile(heads=[shown["head"]])[0, 0]
    rows = [row for row in range(1, len(ids)) if ids[row] in ids[:row] and ids[row - 1] in ids[: row - 1]]
    followed = [map_NN[row, ids.index(ids[row]) + 1].item() for row in rows]
    assert sum(followed) / len(followed) > 0.3


@pytest.mark.parametrize(("kind", "draw"), [("brackets", draw_brackets), ("repeats", draw_repeats)])
def test_patterns_answers_fresh_lines_and_looks_at_what_tells_the_answer(checkpoints, kind, draw):
    generator = random.Random("tests")
    lines = [draw(generator, LENGTH) for _ in range(60)]
    model, tokenizer = checkpoints["patterns"].load(), checkpoints["patterns"].tokenizer
    measured = card("patterns")["measured"]
    assert accuracy(model, as_batch(lines, tokenizer)) == pytest.approx(measured[f"{kind}_accuracy"], abs=0.02)
    site, head, score = strongest_head(model, lines, tokenizer)
    assert (site, head) == (measured[kind]["site"], measured[kind]["head"])
    assert score == pytest.approx(measured[kind]["score"], abs=0.05)
    assert score > 0.5


def test_numbers_writes_held_out_examples(checkpoints):
    model = checkpoints["numbers"].load()
    examples = draw_many(draw_example, random.Random("tests"), 300, held_out=True)
    accuracy = measure_accuracy(model, checkpoints["numbers"].tokenizer, examples)
    assert accuracy >= 0.95
    assert accuracy == pytest.approx(card("numbers")["measured"]["held_out_accuracy"], abs=0.04)


def test_numbers_writes_the_day_the_bastille_fell(checkpoints):
    checkpoint = checkpoints["numbers"]
    request = TraceRequest(text="the fourteenth of july seventeen eighty-nine")
    events = list(trace(checkpoint.load(), request, checkpoint.tokenizer))
    written = next(event for event in events if isinstance(event, TokensRead) and event.origin == "generated")
    assert "".join(written.encoding.texts[1:]) == "1789-07-14"


def test_digits_reads_what_was_held_out_in_ink_of_either_colour(checkpoints):
    model, digits = checkpoints["digits"].load(), held_out_digits(ZOO / "digits")
    measured = card("digits")["measured"]
    assert digits_accuracy(model, digits) == pytest.approx(measured["held_out_accuracy"], abs=0.005)
    assert digits_accuracy(model, digits) >= 0.95
    negatives = Digits(-digits.pixels_BCYX, digits.labels_B)
    assert digits_accuracy(model, negatives) == pytest.approx(measured["negative_accuracy"], abs=0.005)


def test_digits_has_a_head_for_ink_and_one_for_paper(checkpoints):
    heads = ink_heads(checkpoints["digits"].load(), held_out_digits(ZOO / "digits"))
    measured = card("digits")["measured"]
    for found, name in ((heads[0], "ink_head"), (heads[-1], "paper_head")):
        claimed = measured[name]
        assert (found.site, found.head) == (claimed["site"], claimed["head"])
        assert found.share == pytest.approx(claimed["ink_share"], abs=0.01)
    assert heads[0].share > 2 * measured["ink"] and heads[-1].share < measured["ink"] / 2


def test_digits_opens_outside_with_the_same_maps_and_classes(checkpoints):
    folder = ZOO / "digits"
    with Image.open(folder / "seven.png") as picture:
        pixels = ViTImageProcessorPil.from_pretrained(folder)(picture, return_tensors="pt")["pixel_values"]
    outside = transformers.ViTForImageClassification.from_pretrained(folder, attn_implementation="eager").eval()
    maps = []
    with torch.inference_mode():
        logits = checkpoints["digits"].load()(pixels, tap=maps.append)
        expected = outside(pixels, output_attentions=True)
    _assert_same_logits(logits, expected.logits)
    assert outside.config.id2label[int(logits.argmax())] == "7"
    for map_, weights in zip(maps, expected.attentions, strict=True):
        assert (map_.tile() - weights).abs().max() < 1e-5


def _assert_same_logits(logits, expected):
    assert (logits - expected).abs().max() <= 1e-4 * expected.abs().max()
