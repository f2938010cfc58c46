"""What the living interactive workers say of themselves: how many they are, which models they have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from webapp import stream
from workers.protocol.jobs import QUEUE

Residence = Literal["ready", "loading", "cold"]


@dataclass(frozen=True)
class Fleet:
    """`models` are the states of those that some worker has, or is loading; any other is cold."""

    workers: int
    models: dict[str, Residence]

    def residence(self, model: str) -> Residence:
        return self.models.get(model, "cold")


def fleet() -> Fleet:
    """The workers that live now; none where the broker is away. Reads Redis."""
    beats = stream.living(QUEUE)
    models: dict[str, Residence] = {}
    for beat in beats:
        for model, state in beat.get("models", {}).items():
            if models.get(model) != "ready":
                models[model] = state
    return Fleet(len(beats), models)


def takes_jobs(beat: dict[str, Any]) -> bool:
    """Whether a worker is there for new jobs, by what it told last."""
    return beat.get("standing", {}).get("wanted", "working") == "working" and not beat.get("leaving", False)


def most_memory_bytes() -> int | None:
    """Of the living interactive workers the largest one's; None where none of them told. Reads Redis."""
    told = [beat["gauges"]["memory_total_bytes"] for beat in stream.living(QUEUE) if "gauges" in beat]
    return max(told, default=None)
