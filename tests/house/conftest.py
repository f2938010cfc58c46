"""What the tests of the supervisor share."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

HOUSE = Path(__file__).resolve().parents[2]


class SmallSite:
    """A supervisor in a process of its own, with programs of a few lines."""

    def __init__(self, parts: list[dict[str, Any]]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("small_site.py")), json.dumps(parts)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HOUSE)},
        )
        self.lines: list[str] = []

    def read_until(self, words: str) -> str:
        """The next line with these words."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))
            if words in line:
                return self.lines[-1]
        raise AssertionError(f"{words!r} was never said; said was:\n" + "\n".join(self.lines))

    def pid_after(self, words: str) -> int:
        return int(self.read_until(words).split()[-1])

    def end(self, signal_number: int) -> float:
        """Sends the signal; returns how many seconds the supervisor took to end."""
        since = time.monotonic()
        self.process.send_signal(signal_number)
        rest, _ = self.process.communicate(timeout=10)
        self.lines += rest.splitlines()
        return time.monotonic() - since


@pytest.fixture
def small_site() -> Iterator[Callable[[list[dict[str, Any]]], SmallSite]]:
    sites: list[SmallSite] = []

    def start(parts: list[dict[str, Any]]) -> SmallSite:
        sites.append(SmallSite(parts))
        return sites[-1]

    yield start
    for site in sites:
        site.process.kill()
        site.process.wait()
