"""Which worker a job goes to: the one that could begin it soonest.

That is a worker that has the model and is idle, if there is one; else whoever ends what it has, or loads the model,
soonest. A load is weighed heavier than it takes where it pushes another model out: that one will be asked for again,
and its load will hold up others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from webapp.fleet.living import takes_jobs

# Of a worker that has not shown it yet. Hopeful: one that is thought slow would never be asked, and never show it.
RUN_S, LOAD_BYTES_PER_S, LOAD_LEAST_S = 0.2, 1e9, 0.1
PUSHING_OUT = 3.0


@dataclass(frozen=True)
class Place:
    """A worker as a router sees it. Units: seconds."""

    name: str
    models: frozenset[str]
    """Those that it holds, is loading, or was sent lately: by the time the job's turn comes they will be there."""
    waiting: int = 0
    busy_s: float | None = None
    run_s: float = RUN_S
    load_bytes_per_s: float = LOAD_BYTES_PER_S
    fits_bytes: int | None = None
    held_bytes: int = 0
    limit_bytes: int = 0
    pinned: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, beat: Mapping[str, Any], waiting: int, promised: Collection[str]) -> Place:
        """From a heartbeat, of an older release too."""
        gauges = beat.get("gauges") or {}
        return cls(
            name=beat["name"],
            models=frozenset(beat.get("models", {})) | frozenset(promised),
            waiting=waiting,
            busy_s=beat.get("busy_s"),
            run_s=beat.get("run_s") or RUN_S,
            load_bytes_per_s=beat.get("load_bytes_per_s") or LOAD_BYTES_PER_S,
            fits_bytes=gauges.get("memory_total_bytes"),
            held_bytes=sum(beat.get("sizes_bytes", {}).values()),
            limit_bytes=beat.get("limit_bytes", 0),
            pinned=frozenset(beat.get("standing", {}).get("pinned", [])),
        )

    @property
    def free_in_s(self) -> float:
        """Until it has ended what it is on and what waits for it. A run that takes longer than usual will go on so."""
        rest_s = 0.0 if self.busy_s is None else max(self.run_s - self.busy_s, self.run_s / 2, self.busy_s / 2)
        return rest_s + self.waiting * self.run_s

    def load_s(self, model: str, size_bytes: int) -> float:
        if model in self.models:
            return 0.0
        return LOAD_LEAST_S + size_bytes / self.load_bytes_per_s

    def cost_s(self, model: str, size_bytes: int) -> float:
        pushes_out = self.held_bytes + size_bytes > self.limit_bytes
        return self.free_in_s + self.load_s(model, size_bytes) * (PUSHING_OUT if pushes_out else 1.0)


def places(
    beats: Sequence[Mapping[str, Any]], waiting: Mapping[str, int], promised: Mapping[str, set[str]]
) -> list[Place]:
    """The workers that take jobs."""
    there = [beat for beat in beats if takes_jobs(dict(beat)) and "standing" in beat]
    return [Place.of(beat, waiting.get(beat["name"], 0), promised.get(beat["name"], set())) for beat in there]


def choose(model: str, size_bytes: int, candidates: Sequence[Place]) -> Place | None:
    """Where a job for this model begins soonest; None where nobody takes jobs. Pinned models go to their workers."""
    keepers = [place for place in candidates if model in place.pinned]
    fitting = [place for place in candidates if place.fits_bytes is None or place.fits_bytes >= size_bytes]
    return min(
        keepers or fitting or candidates,
        key=lambda place: (round(place.cost_s(model, size_bytes), 3), _draw(model, place.name)),
        default=None,
    )


def steal(candidates: Sequence[Place], next_models: Mapping[str, str]) -> tuple[Place, Place] | None:
    """Who takes the next job from whom: an idle worker from the one that is slowest to come to what waits for it.

    `next_models` is, by worker, the model that its oldest waiting job asks for. None where everybody is at work, or a
    load would take longer than the wait.
    """
    idle = [place for place in candidates if place.busy_s is None and not place.waiting]
    behind = [place for place in candidates if place.waiting and place.busy_s is not None]
    found = []
    for late in behind:
        model = next_models.get(late.name, "")
        if model in late.pinned:
            continue
        size_bytes = int(late.held_bytes / max(1, len(late.models)))
        for place in idle:
            gain_s = late.free_in_s - late.run_s - PUSHING_OUT * place.load_s(model, size_bytes)
            found.append((gain_s, place, late))
    if not found:
        return None
    gain_s, place, late = max(found, key=lambda each: each[0])
    return (place, late) if gain_s > 0 else None


def _draw(model: str, worker: str) -> str:
    """Between equals the same worker each time for a model, and different ones for different models.

    Source: rendezvous hashing (Thaler and Ravishankar 1998).
    """
    return hashlib.sha256(f"{model}\0{worker}".encode()).hexdigest()
