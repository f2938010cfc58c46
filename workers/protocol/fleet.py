"""What a worker says of itself and what is asked of it: the words of heartbeats, standings and orders."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Wanted = Literal["working", "drained", "stopped"]
"""Drained: it ends what it is on and takes nothing new. Stopped: it holds no model either."""


@dataclass(frozen=True)
class Standing:
    """What is wanted of one worker until something else is. `order` numbers the wish, and the worker repeats it."""

    wanted: Wanted = "working"
    pinned: tuple[str, ...] = ()
    order: int = 0

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "pinned": list(self.pinned)}

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Standing:
        return cls(told["wanted"], tuple(told["pinned"]), told["order"])


@dataclass(frozen=True)
class Order:
    """To be done once: "evict" or "load" a model, "restart" the process, "look" at the standing now."""

    action: Literal["evict", "load", "restart", "look"]
    order: int = 0
    model: str = ""
    path: str = ""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> Order:
        return cls(**told)


@dataclass(frozen=True)
class Gauges:
    """What the device tells. None where its driver does not. Units: bytes, shares of 1, °C, watts."""

    memory_total_bytes: int
    memory_free_bytes: int
    utilisation: float | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    disk_free_bytes: int = 0
    disk_total_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


TELLING_BYTES = 64 << 20
"""From this size on a model's load tells how quickly bytes are read."""


@dataclass
class Pace:
    """How quickly a worker has been: running means, from which whoever routes reckons waits.

    What a worker does first takes longer than anything after it, and a small model's load is all beginning and no
    speed. Neither is counted: a worker that seems slow gets no work by which it could show otherwise.
    """

    run_s: float = 0.0
    load_bytes_per_s: float = 0.0
    loading_s: float = 0.0
    """All loads so far together, by which a run's own time is told from what it waited for its model."""
    done: int = 0
    weight: float = field(default=0.2, repr=False)

    def ran(self, seconds: float) -> None:
        self.done += 1
        if self.done == 1:
            return
        self.run_s = seconds if not self.run_s else (1 - self.weight) * self.run_s + self.weight * seconds

    def loaded(self, size_bytes: int, seconds: float) -> None:
        self.loading_s += seconds
        if size_bytes < TELLING_BYTES:
            return
        rate = size_bytes / max(seconds, 1e-3)
        before = self.load_bytes_per_s
        self.load_bytes_per_s = rate if not before else (1 - self.weight) * before + self.weight * rate
