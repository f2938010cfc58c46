"""`python -m tests.benchmarks.soak --minutes 120`: watchers, texts and uploads for hours, and what they leave behind.

Every minute a line: memory and open files of the site's processes, and its disk. What is asked for is deleted again, so
that all three must stay as they were once the site was warm. Ends with 1 where one did not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.benchmarks.fleet_asks import PEOPLE, TEXT
from tests.benchmarks.fleet_loads import EVENT_BYTES
from tests.benchmarks.fleet_work import send_upload
from tests.running import RunningSite
from tests.standing_in import LENT, StandIn

WATCHERS, EVENTS_A_SECOND, WATCHED_S = 100, 20.0, 20.0
PAUSE_S, UPLOAD_EVERY_S = 1.0, 20.0
WARM_SHARE = 0.2
"""Of all lines the first are of a site that is still filling its pools and caches."""
DRIFT, DISK_DRIFT, DISK_SLACK_BYTES = 0.10, 0.05, 8 << 20
PROGRAMS = {"web": "uvicorn", "recorder": "manage.py record", "worker": "interactive"}


@dataclass(frozen=True)
class Line:
    minute: float
    resident_bytes: dict[str, int]
    open_files: int
    disk_bytes: int
    done: int

    def __str__(self) -> str:
        memory = ", ".join(f"{name} {size / 2**20:.0f} MiB" for name, size in self.resident_bytes.items())
        disk = self.disk_bytes / 2**20
        return (
            f"minute {self.minute:.1f}: {memory}; {self.open_files} files open; disk {disk:.1f} MiB; {self.done} runs"
        )


class Work:
    """What people do, each kind in a thread of its own, until it is stopped. A failure ends it, and is told."""

    def __init__(self, site: RunningSite) -> None:
        self.done, self.failure = 0, ""
        self._site, self._stop = site, threading.Event()
        kinds: list[tuple[Callable[[], None], float]] = [
            *((self._ask, PAUSE_S) for _ in range(PEOPLE)),
            (self._watch, PAUSE_S),
            (self._upload, UPLOAD_EVERY_S),
        ]
        self._threads = [threading.Thread(target=self._again, args=kind) for kind in kinds]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _again(self, act: Callable[[], None], pause_s: float) -> None:
        while not self._stop.wait(pause_s) and not self.failure:
            try:
                act()
            except Exception as error:
                self.failure = f"{act.__name__.strip('_')}: {error!r}"

    def _ask(self) -> None:
        told = self._site.traced("prose", TEXT)
        self._site.http.delete(f"/api/v1/runs/{told['id']}").raise_for_status()
        self.done += 1

    def _watch(self) -> None:
        """A run that tells much, followed by many to its end."""
        worker = StandIn(self._site, EVENT_BYTES)
        events = int(EVENTS_A_SECOND * WATCHED_S)
        with ThreadPoolExecutor(WATCHERS) as viewers:
            counts = [viewers.submit(self._count, worker.run) for _ in range(WATCHERS)]
            for _ in range(events):
                time.sleep(1 / EVENTS_A_SECOND)
                worker.say(0.0)
            worker.finish()
            seen = Counter(count.result() for count in counts)
        # Beside what was said: that it began, and that it ended.
        if set(seen) != {events + 2}:
            raise AssertionError(f"of {events + 2} frames viewers saw {dict(seen)}")
        self._site.http.delete(f"/api/v1/runs/{worker.run}").raise_for_status()

    def _count(self, run: str) -> int:
        return sum(1 for _ in self._site.frames(run))

    def _upload(self) -> None:
        send_upload(self._site, 0)


def look(site: RunningSite, began: float, done: int) -> Line:
    resident: dict[str, int] = {}
    files = 0
    for name, words in PROGRAMS.items():
        programs = site.children(words)
        resident[name] = sum(program.memory_info().rss for program in programs)
        files += sum(program.num_fds() for program in programs)
    return Line((time.monotonic() - began) / 60, resident, files, _disk_bytes(site.data), done)


def _disk_bytes(folder: Path) -> int:
    total = 0
    # Files and folders may be deleted meanwhile.
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(parent) / name).stat().st_size
    return total


def judged(lines: list[Line], rest: Line) -> list[str]:
    """What did not stay as it was: the last fifth of the lines against the first ones after the warm-up, and the disk
    when all is over against the first line.
    """
    warm = lines[int(len(lines) * WARM_SHARE) :]
    some = max(1, len(warm) // 4)
    before, after = warm[:some], warm[-some:]
    wrong = []
    for name in PROGRAMS:
        was, is_ = (statistics.median(line.resident_bytes[name] for line in part) for part in (before, after))
        if is_ > was * (1 + DRIFT):
            wrong.append(f"{name} grew from {was / 2**20:.0f} to {is_ / 2**20:.0f} MiB")
    was, is_ = (statistics.median(line.open_files for line in part) for part in (before, after))
    if is_ > was * (1 + DRIFT):
        wrong.append(f"open files went from {was:.0f} to {is_:.0f}")
    if rest.disk_bytes > lines[0].disk_bytes * (1 + DISK_DRIFT) + DISK_SLACK_BYTES:
        wrong.append(f"the disk went from {lines[0].disk_bytes / 2**20:.1f} to {rest.disk_bytes / 2**20:.1f} MiB")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two lines")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = RunningSite(Path(folder) / "data", workers=1, **LENT)
        try:
            site.traced("prose", TEXT)
            began = time.monotonic()
            lines = [look(site, began, 0)]
            work = Work(site)
            try:
                with suppress(psutil.NoSuchProcess):
                    while time.monotonic() - began < 60 * chosen.minutes and not work.failure:
                        time.sleep(chosen.every)
                        lines.append(look(site, began, work.done))
                        print(lines[-1], flush=True)
            finally:
                work.stop()
            time.sleep(5)
            rest = look(site, began, work.done)
            print(f"at rest: {rest}")
            wrong = [*judged(lines[1:], rest), *([work.failure] if work.failure else [])]
            print("holds" if not wrong else "DOES NOT HOLD: " + "; ".join(wrong))
            return 1 if wrong else 0
        finally:
            site.stop()


if __name__ == "__main__":
    sys.exit(main())
