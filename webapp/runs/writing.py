"""Runs that write: what was read in the end, and the tree of those that branched off one another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from webapp import stream
from webapp.runs.models import Run
from webapp.runs.replay import Replay
from workers.protocol import frame
from workers.protocol.jobs import TraceJob

MOST_BRANCHES = 500


@dataclass(frozen=True)
class Branch:
    run: Run
    token: str | None

    @property
    def told(self) -> dict[str, Any]:
        run = self.run
        return {
            "id": run.id,
            "parent": run.parent_id,
            "branched_at": run.branched_at,
            "token": self.token,
            "state": run.state,
            "created_at": run.created_at,
            "page": run.page,
        }


def trace_of(run: Run, told: Replay) -> TraceJob:
    """The trace that made a run's maps: of a run that writes, one of the finished text's tokens."""
    job = run.trace_job()
    if run.choices is None:
        return job
    ids = {name: [token["id"] for token in told.tokens if token["sequence"] == name] for name in ("encoder", "decoder")}
    if run.checkpoint and run.checkpoint.encodes:
        return replace(job, text=None, ids=ids["encoder"], target=None, target_ids=ids["decoder"])
    return replace(job, text=None, ids=ids["decoder"])


def tree_of(run: Run) -> list[Branch]:
    """The tree that a run stands in, parents before their branches. Reads the beginning of each run's file."""
    root, known = run, {run.id}
    while root.parent is not None and root.parent.id not in known:
        root = root.parent
        known.add(root.id)
    runs, level = [root], [root]
    while level and len(runs) < MOST_BRANCHES:
        level = list(Run.objects.filter(parent__in=level).order_by("created_at"))
        runs += level
    return [Branch(found, _own_token(found)) for found in runs[:MOST_BRANCHES]]


def _own_token(run: Run) -> str | None:
    """How the token reads with which a branch leaves its parent: the last of what it goes on from."""
    if run.parent_id is None:
        return None
    for stored in stream.stored_frames(run.id):
        header, _ = frame.read_header(stored.frame)
        if header["type"] == "tokens" and header["sequence"] == "decoder":
            texts: list[str] = header["texts"]
            return texts[-1]
    return None
