"""What a client was promised and what became of it: lost, doubled, stuck or wrong, each of which must be none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workers.protocol import archive, frame
from workers.protocol.archive import StoredFrame

ENDED = ("finished", "failed", "cancelled")
TOLERANCE = 1e-4
DEPENDS_ON_THE_MACHINE = ("timings", "seconds", "worker", "seq", "run", "attempt")


@dataclass
class Promised:
    """A run that the site answered 201 for; `kind` names what was asked, so that equal asks have equal results."""

    run: str
    kind: str


@dataclass
class Account:
    """By kind of fault the runs that it befell, with a word on each. All empty where the site kept its word."""

    lost: dict[str, str] = field(default_factory=dict)
    doubled: dict[str, str] = field(default_factory=dict)
    stuck: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    @property
    def counts(self) -> dict[str, int]:
        return {name: len(found) for name, found in vars(self).items()}

    @property
    def holds(self) -> bool:
        return not any(self.counts.values())


def settle(
    promised: Iterable[Promised], states: dict[str, str | None], frames: dict[str, list[StoredFrame]]
) -> Account:
    """`states` as the API tells them at the end (None where it knows no such run), `frames` as they lie on disk.

    The first of each kind was done before anything was harmed, and is what all others are compared with.
    """
    account, undisturbed = Account(), {}
    for asked in promised:
        state, stored = states.get(asked.run), frames.get(asked.run, [])
        if state is None:
            account.lost[asked.run] = "the site does not know it any more"
        elif state not in ENDED:
            account.stuck[asked.run] = f"{state} after all faults were over"
        elif again := twice(stored):
            account.doubled[asked.run] = again
        elif state != "finished":
            account.lost[asked.run] = f"{state}, though nothing was wrong with what was asked"
        else:
            result = result_of(stored)
            differs = difference(undisturbed.setdefault(asked.kind, result), result)
            if differs:
                account.wrong[asked.run] = f"{asked.kind}: {differs}"
    return account


def twice(stored: Iterable[StoredFrame]) -> str:
    """What stands twice in a run, in words: a seq, an end, or more than one start of an attempt."""
    seqs = [one.seq for one in stored]
    if seqs != list(range(1, len(seqs) + 1)):
        return f"its frames are not numbered 1 to {len(seqs)} once each"
    events = [frame.decode(one.frame).event for one in stored]
    starts = Counter(event.attempt for event in events if event.type == "started")  # type: ignore[attr-defined]
    if max(starts.values(), default=0) > 1:
        return "one attempt started twice"
    ends = [event.type for event in events if event.ends_run]
    return "" if len(ends) == 1 and events[-1].ends_run else f"it ends {len(ends)} times"


def result_of(stored: Iterable[StoredFrame]) -> list[tuple[str, Any]]:
    """What the last attempt found: each event's words, then its arrays; of a training its curve."""
    decoded = [frame.decode(one.frame) for one in stored]
    if any(event.type == "progress" for event, _ in decoded):
        return [("curve", curve_of(decoded))]
    began = max(place for place, (event, _) in enumerate(decoded) if event.type == "started")
    found: list[tuple[str, Any]] = []
    for event, arrays in decoded[began + 1 :]:
        told = {name: value for name, value in vars(event).items() if name not in DEPENDS_ON_THE_MACHINE}
        found.append((event.type, json.loads(json.dumps(told, default=str))))
        found += [(f"{event.type}.{name}", np.asarray(arrays[name])) for name in sorted(arrays)]
    return found


def difference(a: list[tuple[str, Any]], b: list[tuple[str, Any]]) -> str:
    """Where two results differ, in words, or nothing.

    A worker measures when it starts which route of matrix products is quicker, and the routes round differently: so
    numbers may be off by TOLERANCE, and what is stored in 8 or 16 bits by one step.
    """
    if [name for name, _ in a] != [name for name, _ in b]:
        return "other events"
    return next((f"{name} differs{words}" for (name, x), (_, y) in zip(a, b, strict=True) if (words := _off(x, y))), "")


def _off(x: Any, y: Any) -> str:
    match x, y:
        case np.ndarray(), np.ndarray():
            if x.shape != y.shape or x.dtype != y.dtype:
                return " in shape"
            off = float(np.abs(x.astype(float) - y.astype(float)).max(initial=0.0))
            exact = not np.issubdtype(x.dtype, np.floating)
            allowed = (1.0 if x.dtype in (np.uint8, np.uint16) else 0.0) if exact else TOLERANCE
            return f" by {off:g}" if not off <= allowed else ""
        case bool() | int() | str() | None, _:
            return "" if x == y else f": {str(x)[:40]} and {str(y)[:40]}"
        case float(), float():
            return "" if abs(x - y) <= TOLERANCE * max(1.0, abs(x)) else f" by {abs(x - y):g}"
        case dict(), dict() if x.keys() == y.keys():
            return next((words for name in x if (words := _off(x[name], y[name]))), "")
        case (list() | tuple(), list() | tuple()) if len(x) == len(y):
            return next((words for one, other in zip(x, y, strict=True) if (words := _off(one, other))), "")
    return " in shape"


def curve_of(decoded: Iterable[frame.Frame]) -> list[tuple[int, float]]:
    """Of a training the loss of each step, as the last to tell it told."""
    losses: dict[int, float] = {}
    for event, arrays in decoded:
        if event.type == "progress":
            columns = (np.asarray(arrays[name]).tolist() for name in ("steps", "loss"))
            losses |= {int(step): round(float(loss), 6) for step, loss in zip(*columns, strict=True)}
    return sorted(losses.items())


def frames_of(data: object, run: str) -> list[StoredFrame]:
    return list(archive.read(archive.folder(data, run), 0))  # type: ignore[arg-type]
