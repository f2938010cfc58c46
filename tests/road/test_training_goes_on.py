"""A training on the whole road: queued, watched, its worker killed with SIGKILL, gone on with, opened."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil
import pytest

from tests.running import RunningSite
from workers.protocol import archive, frame

PLAN = {
    **{"assignment": "reverse", "layers": 1, "heads": 2, "width": 32, "batch": 16, "length": 16, "warmup": 10},
    **{"steps": 150, "evaluate_every": 50, "snapshot_every": 50, "checkpoint_every": 30, "dropout": 0.1},
}
WAIT_S = 120


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path_factory.mktemp("training") / "data", trainers=1, HEADLIGHT_LEASE_S="4")
    yield running
    running.stop()


def start(site: RunningSite, **changes: Any) -> str:
    answer = site.http.post("/api/v1/trainings", json={**PLAN, **changes})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def wait(site: RunningSite, run: str) -> dict[str, Any]:
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        told: dict[str, Any] = site.http.get(f"/api/v1/trainings/{run}").json()
        if told["state"] in ("finished", "failed", "cancelled"):
            return told
        time.sleep(0.2)
    raise AssertionError("\n".join(["it did not end:", *list(site.log)[-20:]]))


def told_so_far(site: RunningSite, run: str) -> list[frame.Frame]:
    return [frame.decode(stored.frame) for stored in archive.read(archive.folder(site.data, run))]


def curve(site: RunningSite, run: str) -> dict[int, float]:
    """The loss of each step, as it lies on the disk so far."""
    losses: dict[int, float] = {}
    for event, arrays in told_so_far(site, run):
        if event.type == "progress":
            columns = (np.asarray(arrays[name]).tolist() for name in ("steps", "loss"))
            losses |= dict(zip(*columns, strict=True))
    return losses


def kill_the_trainer(site: RunningSite) -> None:
    children = psutil.Process(site.process.pid).children(recursive=True)
    (trainer,) = [child for child in children if "train1@" in " ".join(child.cmdline())]
    trainer.send_signal(signal.SIGKILL)


def test_worker_killed_in_the_middle_is_followed_by_one_with_the_same_curve(site: RunningSite) -> None:
    whole = start(site)
    assert wait(site, whole)["state"] == "finished"
    broken = start(site)
    deadline = time.monotonic() + WAIT_S
    while not (site.data / "trainings" / broken / "last.pt").exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    kill_the_trainer(site)
    told = wait(site, broken)
    assert told["state"] == "finished"
    assert sum(event.type == "training" for event, _ in told_so_far(site, broken)) == 2
    assert curve(site, broken) == curve(site, whole)
    assert sorted(curve(site, whole)) == list(range(1, PLAN["steps"] + 1))  # type: ignore[operator]


def test_result_opens_in_the_explorer(site: RunningSite) -> None:
    newest = site.http.get("/api/v1/trainings").json()["trainings"][0]
    told = site.traced(newest["model"], "abc>cb")
    assert told["state"] == "finished" and len(told["sites"]) == 1


def test_training_that_is_stopped_ends_within_two_seconds(site: RunningSite) -> None:
    run = start(site, steps=100_000)
    deadline = time.monotonic() + WAIT_S
    while not curve(site, run):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert site.http.post(f"/api/v1/runs/{run}/cancel").status_code == 200
    stopped_at = max(curve(site, run))
    time.sleep(2)
    assert wait(site, run)["state"] == "cancelled"
    after = start(site, steps=1)
    assert wait(site, after)["state"] == "finished", "the trainer is free for the next one"
    assert max(curve(site, run)) == stopped_at
