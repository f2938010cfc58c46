"""A model on its way writes a little, and a translation is searched for and scored as papers do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.training.plan import TrainingPlan
from modelcore.training.session import Session
from modelcore.training.translation import translate

TEXT = "In the beginning God created the heaven and the earth. " * 40
SMALL = {"layers": 1, "heads": 2, "width": 32, "batch": 8, "length": 16, "steps": 2, "warmup": 1}


def session(tmp_path: Path, assignment: Any, **more: Any) -> Session:
    text = TEXT if assignment in ("text", "masked") else None
    return Session(TrainingPlan(assignment=assignment, text=text, **{**SMALL, **more}), tmp_path)


@pytest.mark.parametrize("assignment", ["copy", "brackets", "modular", "dates", "text", "masked"])
def test_every_kind_of_model_writes_and_learns_on_undisturbed(assignment: Any, tmp_path: Path) -> None:
    looked_at, left_alone = (session(tmp_path / name, assignment, dropout=0.1) for name in ("one", "other"))
    written = looked_at.sample()
    assert written is not None and written.source and written.text
    assert looked_at.model.training
    assert looked_at.advance()[0].loss == left_alone.advance()[0].loss


def test_line_is_asked_for_after_its_sign_and_says_what_is_right(tmp_path: Path) -> None:
    written = session(tmp_path, "reverse").sample()
    assert written is not None and written.source.endswith(">")
    assert written.wanted == written.source[-2::-1]


def test_hidden_tokens_are_shown_with_their_guesses(tmp_path: Path) -> None:
    written = session(tmp_path, "masked").sample()
    assert written is not None and written.source.count("[MASK]") >= 1
    assert written.text.count("[") > written.text.count("[CLS]") + written.text.count("[SEP]")
    assert "[MASK]" not in written.text.replace("[[MASK]]", "")


def test_right_translation_has_a_bleu_of_100_and_a_wrong_one_less(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = session(tmp_path, "dates")
    model, assignment = trained.model.eval(), trained.assignment
    assert isinstance(model, EncoderDecoder)
    pairs, encode = assignment.held_out[:5], assignment.tokenizer.encode  # type: ignore[attr-defined]
    by_source = {tuple(encode(pair.source).ids): encode(pair.target).ids for pair in pairs}
    asked: list[int] = []

    def found(_: Any, prompt: list[int], search: Any, *, source: list[int]) -> Any:
        asked.append(search.beams)
        ids = (
            by_source[tuple(source)] if len(asked) != 5 or not wrong else by_source[tuple(encode(pairs[0].source).ids)]
        )
        return type("Beams", (), {"hypotheses": [type("Best", (), {"ids": tuple(ids)})]})

    monkeypatch.setattr("modelcore.training.translation.beam_search", found)
    wrong = False
    scores, texts = translate(model, assignment.tokenizer, pairs)
    assert scores["bleu"] == pytest.approx(100.0) and scores["beam_exact"] == 1.0
    assert texts == [pair.target for pair in pairs] and asked == [4] * 5
    asked.clear()
    wrong = True
    scores, _ = translate(model, assignment.tokenizer, pairs)
    assert scores["beam_exact"] == 0.8 and 0 < scores["bleu"] < 100


def test_only_translations_are_searched_for(tmp_path: Path) -> None:
    assert session(tmp_path / "copy", "copy").translate() == {}
    torch.manual_seed(0)
    dates = session(tmp_path / "dates", "dates")
    dates.assignment.held_out = dates.assignment.held_out[:2]  # type: ignore[attr-defined]
    assert set(dates.translate()) == {"bleu", "beam_exact"} and dates.model.training
