"""A figure: what was measured, what was promised, and whether it holds."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Figure:
    """One line of a benchmark. `value` and `goal` are words with units; `skipped` says why nothing was measured."""

    figure: str
    value: str = ""
    goal: str = ""
    holds: bool | None = None
    skipped: str = ""

    def line(self, as_json: bool) -> str:
        if as_json:
            return json.dumps(asdict(self))
        if self.skipped:
            return f"{self.figure:<44} skipped: {self.skipped}"
        verdict = {True: "holds", False: "DOES NOT HOLD", None: "for comparison"}[self.holds]
        return f"{self.figure:<44} {self.value:<34} goal {self.goal or 'none':<40} {verdict}"


def interleaved(rounds: int, *timed: Callable[[], float]) -> list[float]:
    """The median of each, measured in turns so that a noisy neighbour disturbs all alike."""
    seconds = [[measure() for measure in timed] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*seconds, strict=True)]


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def growth(samples: Sequence[float]) -> float:
    """How much the last fifth of the samples lies above the second fifth, as a share of it."""
    fifth = len(samples) // 5
    early, late = statistics.median(samples[fifth : 2 * fifth]), statistics.median(samples[-fifth:])
    return late / early - 1
