"""`python -m modelcore train`: a plan carried out from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from modelcore.cli import main
from modelcore.opening import open_any
from modelcore.training.session import LAST
from tests.modelcore.zips import picture_zip

SMALL = ("layers=1", "heads=2", "width=32", "batch=8", "length=16", "steps=8", "warmup=2", "checkpoint_every=3")


def train(out: Path, *more: str, task: str = "copy", **changes: object) -> int:
    settings = [*SMALL, *(f"{name}={value}" for name, value in changes.items())]
    return main(
        ["train", task, "--out", str(out), *(word for setting in settings for word in ("--set", setting)), *more]
    )


def test_command_trains_prints_and_leaves_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, evaluate_every=4) == 0
    told = capsys.readouterr().out
    assert "step      4  held out: loss" in told and "step      8  held out: loss" in told
    assert open_any(tmp_path).config.width == 32


def test_command_says_what_each_head_does_and_how_dates_are_aligned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, task="dates", heads=4) == 0
    heads, *aligned = capsys.readouterr().out.splitlines()[-4:]
    site, _, labels = heads.partition("  ")
    assert site == "decoder.cross.0" and len(labels.split(", ")) == 4
    for part, line in zip(("year", "month", "day"), aligned, strict=True):
        assert line.startswith("decoder.cross.0, head ") and line.endswith(f"of its weight is on the {part}'s words")


def test_command_fine_tunes_the_model_of_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = tmp_path / "text.txt"
    text.write_text("In the beginning God created the heaven and the earth. " * 20)
    assert train(tmp_path / "first", width=48) == 0
    assert train(tmp_path / "then", "--text", str(text), "--start", str(tmp_path / "first"), task="text") == 0
    assert open_any(tmp_path / "then").config.width == 48
    assert train(tmp_path / "first", "--start", str(tmp_path / "first"), task="dates") == 2
    assert "--out must be another folder" in capsys.readouterr().err
    assert train(tmp_path / "none", "--start", str(tmp_path / "first"), task="dates") == 2
    assert "turn a source into a target" in capsys.readouterr().err


def test_command_learns_the_pictures_of_a_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    zipped = picture_zip(tmp_path / "z", {"dark": range(9), "light": range(200, 209)})
    assert train(tmp_path / "out", "--pictures", str(zipped), task="images") == 0
    assert open_any(tmp_path / "out").config.output == "classes"
    assert train(tmp_path / "none", "--pictures", str(tmp_path / "gone"), task="images") == 2
    assert "The zip is gone" in capsys.readouterr().err


def test_command_that_was_cut_off_goes_on_and_ends_with_the_same_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert train(tmp_path / "whole") == 0
    with monkeypatch.context() as patched:
        patched.setattr("modelcore.commands.train.Session.export", cut_off)
        patched.setattr("modelcore.commands.train.Session.is_done", property(lambda session: session.step == 4))
        with pytest.raises(KeyboardInterrupt):
            train(tmp_path / "cut")
    capsys.readouterr()
    assert train(tmp_path / "cut") == 0
    assert "goes on after step 4" in capsys.readouterr().out
    whole, gone_on = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(whole[name], gone_on[name]) for name in whole)


def cut_off(*_: object) -> None:
    raise KeyboardInterrupt


def test_folder_of_another_plan_is_refused_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path) == 0
    kept = (tmp_path / LAST).read_bytes()
    assert train(tmp_path, seed=5) == 2
    assert "with another seed: 0, not 5" in capsys.readouterr().err
    assert (tmp_path / LAST).read_bytes() == kept


def test_nothing_to_go_on_from_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(tmp_path, "--resume") == 2
    assert "no last.pt to go on from" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "said"), [({"heads": 3}, "3 heads do not divide"), ({"schedule": "random"}, "schedule is one of")]
)
def test_plan_that_cannot_be_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, Any], said: str
) -> None:
    assert train(tmp_path, **changes) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1 and not list(tmp_path.iterdir())


def test_file_that_is_not_utf8_is_refused_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mine.txt"
    file.write_bytes(b"one\ntwo\ngr" + "ü".encode("latin-1") + b"n\n")
    assert train(tmp_path / "out", "--text", str(file), task="text") == 2
    assert "Line 3 of mine.txt is not UTF-8" in capsys.readouterr().err
