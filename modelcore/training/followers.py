"""The processes that a worker with several devices starts beside itself, so that one training has all of them.

The worker is the group's first process, and gives the orders; each of the others follows them (`Session.follow`). Their
standard input is a pipe that the worker holds: when it ends, however it does, they read the pipe's end and end too.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import torch

from modelcore.training.brought import Brought
from modelcore.training.parallel import ALONE, Alone, Group, GroupError
from modelcore.training.plan import TrainingPlan

SILENT_END = 3


class Followers:
    """A context in which `group` is what the worker's session trains with; of one device it is the worker alone."""

    def __init__(
        self, plan: TrainingPlan, folder: Path, brought: Brought | None = None, devices: int | None = None
    ) -> None:
        self._plan, self._folder, self._brought = plan, folder, brought or Brought()
        self._size = min(plan.batch, torch.cuda.device_count() if devices is None else devices)
        self._processes: list[subprocess.Popen[bytes]] = []
        self.group: Alone = ALONE

    def __enter__(self) -> Self:
        if self._size > 1:
            meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(self._size)}
            self._processes = [self._started(rank, meeting) for rank in range(1, self._size)]
            self.group = Group(sharded=False, environment=meeting | {"RANK": "0"})
        return self

    def check(self) -> None:
        """Raises: GroupError where one has ended, which nccl would wait for."""
        for process in self._processes:
            if process.poll() is not None:
                raise GroupError(
                    f"One of the {self._size} processes of this training ended; the worker's log says why. "
                    "Begun again, it goes on from the last checkpoint."
                )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
        if self._size > 1:
            self.group.leave()

    def _started(self, rank: int, meeting: dict[str, str]) -> subprocess.Popen[bytes]:
        threads = str(max(1, torch.get_num_threads() // self._size))
        environment = {**os.environ, **meeting, "RANK": str(rank), "OMP_NUM_THREADS": threads}
        process = subprocess.Popen(
            [sys.executable, "-m", "modelcore.training.followers"], stdin=subprocess.PIPE, env=environment
        )
        assert process.stdin is not None
        told = [self._plan.to_json(), str(self._folder), self._brought.to_json()]
        process.stdin.write(json.dumps(told).encode() + b"\n")
        process.stdin.flush()
        return process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end_with_the_worker() -> None:
    sys.stdin.read()
    os._exit(SILENT_END)


def _follow() -> None:
    from modelcore.training.session import Session

    plan, folder, brought = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    group = Group(sharded=False)
    Session(TrainingPlan.from_json(plan), Path(folder), Brought.from_json(brought), group).follow()
    group.leave_and_exit()


if __name__ == "__main__":
    _follow()
