"""A trainer is killed again and again while it writes its checkpoints: each time the training goes on unharmed."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.faults.ledger import frames_of
from tests.harm.processes import kill, until
from tests.running import RunningSite
from workers.protocol import frame
from workers.protocol.event import Event

TRAINERS, RUNS, KILLS_A_RUN = 3, 10, 2
"""A run that lost its worker a third time is given up; a trainer that died five times in a minute is given a rest."""
EVERY = 10
PLAN = {
    **{"assignment": "reverse", "layers": 2, "heads": 4, "width": 128, "batch": 16, "length": 16, "warmup": 10},
    **{"steps": 120, "evaluate_every": 1000, "snapshot_every": 1000, "checkpoint_every": EVERY, "dropout": 0.1},
}
OFF = 1e-6


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path / "data", workers=0, trainers=TRAINERS, HEADLIGHT_LEASE_S="4", OMP_NUM_THREADS="1")
    yield running
    running.stop()


def train(site: RunningSite) -> str:
    answer = site.http.post("/api/v1/trainings", json=PLAN)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def told(site: RunningSite, run: str) -> list[frame.Frame]:
    return [frame.decode(stored.frame) for stored in frames_of(site.data, run)]


def started(site: RunningSite, run: str) -> list[Event]:
    return [event for event, _ in told(site, run) if event.type == "started"]


def curve(frames: list[frame.Frame]) -> dict[int, float]:
    """As whoever watches folds it: what was told of steps after the one that is gone on from is void."""
    losses: dict[int, float] = {}
    for event, arrays in frames:
        if event.type == "training":
            losses = {step: loss for step, loss in losses.items() if step <= event.step}  # type: ignore[attr-defined]
        if event.type == "progress":
            steps, loss = (np.asarray(arrays[name]).tolist() for name in ("steps", "loss"))
            assert min(steps) > max(losses, default=0) and steps == sorted(set(steps)), "steps rise, each once"
            losses |= dict(zip(steps, loss, strict=True))
    return losses


def resumed(frames: list[frame.Frame]) -> list[int]:
    """The step that each attempt but the first went on from, each of which must be that of the last checkpoint."""
    began: list[int] = []
    saved = 0
    for event, _ in frames:
        if event.type == "saved":
            saved = event.step  # type: ignore[attr-defined]
        if event.type == "training":
            # It may have been killed when a checkpoint had its name and was not yet told of.
            assert event.step in (saved, saved + EVERY), (event, saved)  # type: ignore[attr-defined]
            began.append(event.step)  # type: ignore[attr-defined]
    return began[1:]


def written(path: Path) -> int:
    """When it was; 0 where there is no such file, which may be so from one moment to the next."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def kill_while_it_writes(site: RunningSite, run: str, attempt: int, chance: random.Random) -> bool:
    """At a random moment from when a checkpoint is begun on. True where one was left half written."""
    folder = site.data / "trainings" / run
    whole, part = folder / "last.pt", folder / ".last.pt.part"
    until(lambda: any(event.attempt == attempt for event in started(site, run)))  # type: ignore[attr-defined]
    # One that is left from a kill before is written again from its beginning.
    left = written(part)
    deadline = time.monotonic() + 60
    for _ in range(chance.randint(1, 2)):
        seen = written(whole)
        while written(part) in (0, left):
            assert time.monotonic() < deadline, f"it writes no checkpoint: {site.read(run)}"
            if written(whole) != seen:
                break
            time.sleep(0.0002)
    time.sleep(chance.choice([0.0, chance.uniform(0, 0.02), chance.uniform(0, 0.15)]))
    kill(site, started(site, run)[-1].worker.partition("@")[0] + "@")  # type: ignore[attr-defined]
    return part.exists()


@pytest.mark.timeout(900)
def test_training_that_is_killed_around_its_checkpoints_goes_on_from_a_whole_one_with_the_same_curve(
    site: RunningSite,
) -> None:
    # One on each trainer: which route of matrix products is quicker, each has measured for itself.
    undisturbed = [train(site) for _ in range(TRAINERS)]
    for run in undisturbed:
        assert site.wait(run, 120)["state"] == "finished"
    curves = [curve(told(site, run)) for run in undisturbed]
    chance, resumes, torn, worst = random.Random(7), 0, 0, 0.0
    for _ in range(RUNS):
        run = train(site)
        for attempt in range(1, KILLS_A_RUN + 1):
            torn += kill_while_it_writes(site, run, attempt, chance)
            until(lambda run=run, attempt=attempt: site.read(run)["attempt"] > attempt)
        end = site.wait(run, 120)
        assert (end["state"], end["attempt"]) == ("finished", KILLS_A_RUN + 1), end
        frames = told(site, run)
        began = resumed(frames)
        assert len(began) == KILLS_A_RUN
        resumes += len(began)
        losses = curve(frames)
        assert sorted(losses) == list(range(1, PLAN["steps"] + 1))  # type: ignore[operator]
        off = min(max(abs(losses[step] - whole[step]) for step in whole) for whole in curves)
        assert off <= OFF, f"{run} is off by {off}, gone on from {began}"
        worst = max(worst, off)
    print(f"{RUNS * KILLS_A_RUN} kills, {resumes} resumes, {torn} while a checkpoint was half written, off by {worst}")
    assert resumes == RUNS * KILLS_A_RUN
    assert torn, "none was killed in the midst of a checkpoint, so nothing was tried"
