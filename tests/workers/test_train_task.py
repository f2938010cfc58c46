"""A worker trains: what it tells, what it keeps, and how it goes on where another one was killed."""

from __future__ import annotations

import errno
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import redis

from modelcore.opening import open_any
from modelcore.training.plan import TrainingPlan
from modelcore.training.session import Session
from tests.modelcore.zips import picture_zip
from workers.protocol import archive, archives, frame, keys, trainings
from workers.protocol.frame import Frame
from workers.protocol.jobs import TrainJob
from workers.protocol.training_events import Snapshot
from workers.runtime.feed import Feed
from workers.runtime.process import Process
from workers.tasks import train
from workers.tasks.train import run_train

PLAN = {
    **{"assignment": "copy", "layers": 1, "heads": 2, "width": 32, "batch": 8, "length": 16, "warmup": 2},
    **{"steps": 12, "evaluate_every": 6, "snapshot_every": 6, "checkpoint_every": 4},
}
JOB = TrainJob(run="r", attempt=1, submitted_at=0.0, plan=PLAN)


def told(tmp_path: Path, run: str = "r") -> list[Frame]:
    return [frame.decode(stored.frame) for stored in archive.read(archive.folder(tmp_path, run))]


def of(frames: list[Frame], kind: str) -> list[Any]:
    return [one.event for one in frames if one.event.type == kind]


def losses(frames: list[Frame]) -> dict[int, float]:
    """By step; what a later attempt says of a step stands."""
    curve: dict[int, float] = {}
    for event, arrays in frames:
        if event.type == "progress":
            steps, values = (np.asarray(arrays[name]).tolist() for name in ("steps", "loss"))
            curve |= dict(zip(steps, values, strict=True))
    return curve


def test_training_tells_its_curve_its_heads_and_what_it_made(process: Process, tmp_path: Path) -> None:
    run_train(JOB, process)
    frames = told(tmp_path)
    assert [one.event.type for one in frames][:3] == ["started", "training", "tokens"]
    assert [one.event.type for one in frames][-2:] == ["trained", "finished"]
    assert sorted(losses(frames)) == list(range(1, 13))
    assert [event.step for event in of(frames, "evaluated")] == [0, 6, 12]
    assert [event.step for event in of(frames, "snapshot")] == [0, 6, 12]
    assert [event.step for event in of(frames, "saved")] == [4, 8, 12]
    event, arrays = next(one for one in frames if one.event.type == "snapshot")
    assert isinstance(event, Snapshot)
    sizes = zip(event.heads, event.queries, event.keys, event.cell, strict=True)
    cells = [heads * -(-queries // cell) * -(-keys // cell) for heads, queries, keys, cell in sizes]
    assert np.asarray(arrays["overview"]).size == sum(cells)
    folder = trainings.model_folder(tmp_path, "r")
    assert open_any(folder).load(device="cpu") is not None
    assert json.loads((folder / trainings.MANIFEST).read_text())["heads"] == 2
    assert not trainings.progress_folder(tmp_path, "r").exists(), "nothing is left of what only going on needs"


def test_model_that_is_fine_tuned_says_so_on_its_card(process: Process, tmp_path: Path) -> None:
    run_train(replace(JOB, run="first"), process)
    folder = trainings.model_folder(tmp_path, "first")
    plan = {**PLAN, "assignment": "text", "text": "In the beginning. " * 99, "start": "copier", "layers": 1}
    run_train(replace(JOB, plan=plan, paths={"start": str(folder)}), process)
    assert of(told(tmp_path), "finished")
    card = json.loads((trainings.model_folder(tmp_path, "r") / trainings.CARD).read_text())
    assert card["name"] == "Fine-tuned: text" and card["started_from"] == "copier"
    assert card["sentence"] == "1 layers of 2 heads, fine-tuned here from copier for 12 steps."


def test_pictures_are_learned_from_the_zip_that_was_stored(process: Process, tmp_path: Path) -> None:
    zipped = picture_zip(tmp_path / "z", {"dark": range(9), "light": range(200, 209)})
    plan = {**PLAN, "assignment": "images", "pictures": archives.store(tmp_path, zipped.read_bytes())}
    run_train(replace(JOB, plan=plan), process)
    frames = told(tmp_path)
    (read,) = of(frames, "tokens")
    assert of(frames, "finished") and read.texts[:2] == ["class", "1,1"]
    opened = open_any(trainings.model_folder(tmp_path, "r"))
    assert opened.config.output == "classes" and opened.tokenizer is None
    folder = trainings.model_folder(tmp_path, "r")
    (example,) = json.loads((folder / trainings.CARD).read_text())["examples"]
    assert (folder / example["picture"]).read_bytes().startswith(b"\x89PNG") and example["site"] == "encoder.self.0"


def test_worker_that_was_killed_is_followed_by_one_with_the_same_curve(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_train(replace(JOB, run="whole"), process)
    advance = Session.advance

    def killed_at_ten(session: Session) -> Any:
        if session.step == 9:
            raise KeyboardInterrupt
        return advance(session)

    monkeypatch.setattr(train, "TELL_EVERY_S", 0.0)
    monkeypatch.setattr(Session, "advance", killed_at_ten)
    with pytest.raises(KeyboardInterrupt):
        run_train(JOB, process)
    monkeypatch.setattr(Session, "advance", advance)
    run_train(replace(JOB, attempt=2), process)
    frames = told(tmp_path)
    assert [event.step for event in of(frames, "training")] == [0, 8]
    assert losses(frames) == losses(told(tmp_path, "whole"))


def test_rate_that_was_changed_while_it_paused_is_kept_for_the_next_worker(
    process: Process, broker: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoint of that step stood already, with the rate before."""
    orders = ({"action": "checkpoint"}, {"action": "learning_rate", "factor": 0.5}, {"action": "pause"})
    for order in orders:
        broker.rpush(keys.orders("r"), json.dumps(order))
    monkeypatch.setattr("workers.tasks.train.time.sleep", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_train(JOB, process)
    kept = Session(TrainingPlan.from_json(PLAN), trainings.progress_folder(tmp_path, "r"))
    assert kept.rate_factor == 0.5


def test_run_that_is_stopped_says_nothing_more(process: Process, broker: redis.Redis, tmp_path: Path) -> None:
    publish = Feed.publish

    def stopped_after_the_first_look(feed: Feed, event: Any, arrays: Any = None) -> None:
        publish(feed, event, arrays)
        if event.type == "snapshot":
            broker.set(keys.attempt("r"), 2)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Feed, "publish", stopped_after_the_first_look)
        run_train(JOB, process)
    assert not of(told(tmp_path), "finished") and not of(told(tmp_path), "failed")


def test_orders_are_obeyed_before_the_next_step(process: Process, broker: redis.Redis, tmp_path: Path) -> None:
    for order in (
        {"action": "learning_rate", "factor": 0.5},
        {"action": "pause"},
        {"action": "go_on"},
        {"action": "checkpoint"},
    ):
        broker.rpush(keys.orders("r"), json.dumps(order))
    run_train(JOB, process)
    frames = told(tmp_path)
    assert [event.action for event in of(frames, "steered")] == ["learning_rate", "pause", "go_on", "checkpoint"]
    rates = np.concatenate([np.asarray(a["learning_rate"]) for e, a in frames if e.type == "progress"])
    assert rates.max() <= 0.5 * 2e-3 + 1e-9
    assert of(frames, "finished")


def followers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "modelcore.training.followers" in child.cmdline()]


def test_worker_of_two_devices_starts_the_second_process_itself(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_train(replace(JOB, run="alone"), process)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("modelcore.training.parallel.torch.cuda.is_available", lambda: False)
    run_train(JOB, process)
    frames, alone = told(tmp_path), told(tmp_path, "alone")
    assert [one.event.type for one in frames if one.event.type != "progress"] == [
        one.event.type for one in alone if one.event.type != "progress"
    ]
    assert losses(frames) == pytest.approx(losses(alone), rel=1e-4)
    assert not followers(), "the second process has ended with the training"


def test_training_that_is_broken_off_ends_the_second_process_too(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("modelcore.training.parallel.torch.cuda.is_available", lambda: False)

    def broken_off(_: Session) -> Any:
        assert followers()
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "advance", broken_off)
    with pytest.raises(KeyboardInterrupt):
        run_train(JOB, process)
    assert not followers()


def test_second_process_that_is_killed_ends_the_training_with_a_word(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("modelcore.training.parallel.torch.cuda.is_available", lambda: False)
    advance = Session.advance

    def kill_at_five(session: Session) -> Any:
        if session.step == 5:
            for child in followers():
                child.kill()
        return advance(session)

    monkeypatch.setattr(Session, "advance", kill_at_five)
    run_train(JOB, process)
    (failed,) = of(told(tmp_path), "failed")
    assert "process" in failed.message and "last checkpoint" in failed.message
    assert (trainings.progress_folder(tmp_path, "r") / "last.pt").exists()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"heads": 3}, "plan_refused", "do not divide"),
        ({"assignment": "text", "text": "short"}, "plan_refused", "at least"),
        ({"assignment": "images", "pictures": "0" * 64}, "plan_refused", "zip is gone"),
        ({"assignment": "text", "text": "mine", "start": "m"}, "plan_refused", "files of this model are gone"),
        ({"learning_rate": 10.0, "warmup": 1, "steps": 400, "schedule": "constant", "width": 64}, "diverged", "step"),
    ],
)
def test_training_that_cannot_be_says_why(
    process: Process, tmp_path: Path, changes: dict[str, Any], code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if code == "diverged":
        monkeypatch.setattr("modelcore.training.session.math.isfinite", lambda value: False)
    run_train(replace(JOB, plan={**PLAN, **changes}), process)
    (failed,) = of(told(tmp_path), "failed")
    assert failed.code == code and words in failed.message


def test_sample_comes_with_the_tests_and_when_somebody_asks(
    process: Process, broker: redis.Redis, tmp_path: Path
) -> None:
    broker.rpush(keys.orders("r"), json.dumps({"action": "sample"}))
    run_train(JOB, process)
    frames = told(tmp_path)
    assert [event.step for event in of(frames, "sample")] == [0, 0, 6, 12]
    assert of(frames, "sample")[0].source.endswith(">") and [e.action for e in of(frames, "steered")] == ["sample"]


def test_translation_ends_with_bleu_and_its_result_is_kept_for_tables(process: Process, tmp_path: Path) -> None:
    run_train(replace(JOB, plan={**PLAN, "assignment": "dates", "steps": 4}), process)
    (trained,) = of(told(tmp_path), "trained")
    assert {"bleu", "beam_exact", "loss"} <= set(trained.metrics)
    result = json.loads((trainings.model_folder(tmp_path, "r") / trainings.RESULT).read_text())
    assert result["metrics"] == trained.metrics and result["tokens"] > 4 * 8 * 10 and result["parameters"] > 1000


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_full_disk_is_said_and_nothing_half_written_is_left(
    process: Process, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: Exception
) -> None:
    def write(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise full

    monkeypatch.setattr("modelcore.training.session._write", write)
    run_train(JOB, process)
    (failed,) = of(told(tmp_path), "failed")
    assert failed.code == "storage_full" and "free some space" in failed.message
    assert list(trainings.progress_folder(tmp_path, "r").iterdir()) == []
