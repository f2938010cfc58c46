"""What a client was promised and what became of it: lost, doubled, stuck or wrong, each of which must be none."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from workers.protocol import archive, frame
from workers.protocol.archive import StoredFrame

ENDED = ("finished", "failed", "cancelled")
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
    """`states` as the API tells them at the end (None where it knows no such run), `frames` as they lie on disk."""
    account, results = Account(), {}
    for asked in promised:
        state, stored = states.get(asked.run), frames.get(asked.run, [])
        if state is None:
            account.lost[asked.run] = "the site does not know it any more"
            continue
        if state not in ENDED:
            account.stuck[asked.run] = f"{state} after all faults were over"
            continue
        again = twice(stored)
        if again:
            account.doubled[asked.run] = again
        if state == "finished":
            results.setdefault(asked.kind, {})[asked.run] = result_of(stored)
        elif state == "failed":
            account.lost[asked.run] = "failed, though nothing was wrong with what was asked"
    for kind, found in results.items():
        # What most agree on is the truth: each was checked against an undisturbed one of its kind.
        usual, _ = Counter(found.values()).most_common(1)[0]
        for run, result in found.items():
            if result != usual:
                account.wrong[run] = f"another result than other runs of {kind}"
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


def result_of(stored: Iterable[StoredFrame]) -> str:
    """A hash of what the last attempt found, which another machine at another time would have found as well."""
    decoded = [frame.decode(one.frame) for one in stored]
    began = max(place for place, (event, _) in enumerate(decoded) if event.type == "started")
    digest = hashlib.sha256()
    if any(event.type == "progress" for event, _ in decoded):
        digest.update(json.dumps(curve_of(decoded)).encode())
    else:
        for event, arrays in decoded[began + 1 :]:
            told = {name: value for name, value in vars(event).items() if name not in DEPENDS_ON_THE_MACHINE}
            digest.update(json.dumps([event.type, told], sort_keys=True, default=str).encode())
            for name in sorted(arrays):
                digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


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
