"""`python -m tests.benchmarks.child_process read FILE | load FOLDER`: time and peak memory of one act, in a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Literal, NamedTuple

from tests.benchmarks.figures import seconds_of


class Measured(NamedTuple):
    """`peak_bytes` is how far resident memory rose above what the process had before."""

    seconds: float
    peak_bytes: int


def measured_in_child(act: Literal["read", "load"], path: Path) -> Measured:
    """Raises: CalledProcessError if the act fails."""
    command = [sys.executable, "-m", "tests.benchmarks.child_process", act, str(path)]
    return Measured(*json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def _measure(act: str, path: Path) -> Measured:
    if act == "read":
        before = _resident("VmRSS")
        seconds = seconds_of(path.read_bytes)
    else:
        from modelcore.checkpoints.reader import open_checkpoint

        before = _resident("VmRSS")
        seconds = seconds_of(lambda: open_checkpoint(path).load())
    return Measured(seconds, _resident("VmHWM") - before)


def _resident(field: str) -> int:
    """VmRSS, resident now, or VmHWM, the most there ever was. Units: bytes. Source: man 5 proc_pid_status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])


if __name__ == "__main__":
    print(json.dumps(_measure(sys.argv[1], Path(sys.argv[2]))))
