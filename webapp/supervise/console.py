"""The one stream that a person reads: every process's lines, each behind its process's name."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterable
from typing import TextIO

OWN_NAME = "headlight"
"""The name before the supervisor's own lines."""
HELD_LINES = 10_000
COLOURS = (36, 32, 35, 33, 34, 96, 92, 95)
_INVISIBLE = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if code != 0x09}


class Console:
    """Takes lines from anywhere in the process and never waits.

    A thread of its own writes, because a terminal on hold (Ctrl-S) or a pager that nobody scrolls blocks
    whoever writes, and the supervisor has children to end meanwhile. What does not fit is counted and said.
    """

    def __init__(self, out: TextIO, names: Iterable[str]) -> None:
        self._out = out
        names = [OWN_NAME, *names]
        self._width = max(len(name) for name in names)
        self._colours: dict[str, int] = {}
        if out.isatty() and "NO_COLOR" not in os.environ:
            self._colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
        self._lines: queue.Queue[str | None] = queue.Queue(HELD_LINES)
        self._dropped = 0
        self._thread = threading.Thread(target=self._write, name="console", daemon=True)
        self._thread.start()

    def line(self, name: str, text: str) -> None:
        """One line from `name`. Control characters are left out: a log line must not steer the terminal."""
        head = f"{name:<{self._width}} |"
        if name in self._colours:
            head = f"\033[{self._colours[name]}m{head}\033[0m"
        try:
            self._lines.put_nowait(f"{head} {text.translate(_INVISIBLE)}\n")
        except queue.Full:
            self._dropped += 1

    def say(self, text: str) -> None:
        """The supervisor's own words; may be several lines."""
        for each in text.splitlines():
            self.line(OWN_NAME, each)

    def close(self, timeout_s: float = 1.0) -> None:
        """Writes what is still held, for at most `timeout_s`."""
        try:
            self._lines.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self._thread.join(timeout_s)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                if self._dropped:
                    dropped, self._dropped = self._dropped, 0
                    self._out.write(f"{OWN_NAME:<{self._width}} | {dropped} lines are missing: output on hold\n")
                self._out.write(line)
                if self._lines.empty():
                    self._out.flush()
            except (OSError, ValueError):
                # The reader is gone (`./run | head`). The processes go on; their lines go nowhere.
                continue
