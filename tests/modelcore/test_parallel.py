"""Several processes train one model: the same losses as one, the same checkpoints, and an end for all when one ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from modelcore.training.parallel import Group
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.presets import preset
from modelcore.training.session import LAST, Session
from tests.modelcore.test_session import losses, plan
from tests.running import HOUSE

FOLLOWS = """
import sys, json
from pathlib import Path
from modelcore.training.parallel import join
from modelcore.training.plan import TrainingPlan
from modelcore.training.session import Session
plan, folder, sharded, until = json.loads(sys.argv[1])
group = join(sharded=sharded)
session = Session(TrainingPlan.from_json(plan), Path(folder), group=group)
if group.rank:
    session.follow()
else:
    told = []
    while session.step < until:
        told.append(session.advance()[0].loss)
        print(json.dumps(told[-1]), flush=True)
    session.save()
    print(json.dumps(session.measure()), flush=True)
    session.close()
group.leave_and_exit()
"""


def start(plan: TrainingPlan, folder: Path, *, sharded: bool, until: int | None = None) -> list[subprocess.Popen[str]]:
    """Two processes as torchrun would start them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    asked = json.dumps([plan.to_json(), str(folder), sharded, until or plan.steps])
    of_all = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    return [
        subprocess.Popen(
            [sys.executable, "-c", FOLLOWS, asked],
            cwd=HOUSE,
            env={**os.environ, **of_all, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]


def ended(processes: list[subprocess.Popen[str]]) -> list[Any]:
    """What the first said, line by line."""
    first, second = (process.communicate(timeout=300) for process in processes)
    assert [process.returncode for process in processes] == [0, 0], first[1] + second[1]
    return [json.loads(line) for line in first[0].splitlines()]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("assignment", "sharded"), [("dates", False), ("masked", True)], ids=["replicated", "sharded"])
def test_two_processes_have_the_losses_of_one_and_either_goes_on_from_the_other(
    assignment: Any, sharded: bool, tmp_path: Path
) -> None:
    """Rows ask for different numbers of answers, and the batches of a step are two."""
    made = plan(assignment, dropout=0.0, accumulate=2, batch=5, layers=2, average=2, checkpoint_every=4)
    alone = Session(made, tmp_path / "alone")
    whole = losses(alone)
    both = start(made, tmp_path / "group", sharded=sharded, until=5)
    begun = Session(made, tmp_path / "begun")
    while begun.step < 3:
        begun.advance()
    begun.save()
    *told, metrics = ended(both)
    assert told == pytest.approx(whole[:5], rel=1e-4)
    gone_on = Session(made, tmp_path / "group")
    assert gone_on.step == 5 and gone_on.measure() == pytest.approx(metrics, rel=1e-4)
    assert losses(gone_on) == pytest.approx(whole[5:], rel=1e-4)
    for name, tensor in gone_on.model.state_dict().items():
        # The same bias for all keys moves no weight: its gradient is rounding, and Adam makes steps of it.
        assert name.endswith("key.bias") or torch.allclose(tensor, alone.model.state_dict()[name], atol=1e-4), name
    *told, metrics = ended(start(made, tmp_path / "begun", sharded=sharded))
    assert told == pytest.approx(whole[3:], rel=1e-4)
    assert metrics == pytest.approx(alone.measure(), rel=1e-3)


@pytest.mark.parametrize("killed", [0, 1])
def test_process_that_is_killed_ends_the_other_which_says_why(killed: int, tmp_path: Path) -> None:
    both = start(plan(steps=100_000), tmp_path, sharded=False)
    first = both[0].stdout
    assert first is not None and first.readline()
    both[killed].send_signal(signal.SIGKILL)
    began = time.monotonic()
    _, said = both[1 - killed].communicate(timeout=60)
    assert time.monotonic() - began < 30 and both[1 - killed].returncode != 0
    assert "GroupError: Another process of this training ended" in said
    both[killed].communicate()


def test_command_under_torchrun_trains_as_one_process_does(tmp_path: Path) -> None:
    small = {"layers": 1, "heads": 2, "width": 32, "batch": 8, "steps": 6, "warmup": 2, "evaluate_every": 3}
    words = [word for name, value in small.items() for word in ("--set", f"{name}={value}")]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = ["-m", "modelcore", "train", "copy", "--out", str(tmp_path), *words]
    done = subprocess.run([*torchrun, *command], cwd=HOUSE, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("6 steps") == 1 and done.stdout.count("step      6  held out: loss") == 1
    made = TrainingPlan.from_json(preset("copy") | small)
    assert (tmp_path / LAST).exists() and (tmp_path / "model.safetensors").exists()
    told = f"{Session(made, tmp_path).measure()['loss']:.4f}"
    alone = Session(made, tmp_path / "alone")
    losses(alone)
    assert f"{alone.measure()['loss']:.4f}" == told and f"loss {told}" in done.stdout


def test_batch_that_is_too_small_to_share_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    group = Group.__new__(Group)
    group.rank, group.size = 0, 4
    with pytest.raises(PlanError, match="3 cannot be shared by 4"):
        group.part(torch.zeros(3, 8))
