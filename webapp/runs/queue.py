"""Where a run stands among those that wait for a worker, and for how long it will."""

from __future__ import annotations

from typing import NamedTuple

from webapp import stream
from webapp.fleet.living import takes_jobs
from webapp.fleet.routing import RUN_S
from webapp.runs.handing_out import line, of, queue_of
from webapp.runs.models import Run
from workers.protocol.jobs import TRAIN_QUEUE


class Place(NamedTuple):
    """`before` runs will be taken first, 0 for the next; `wait_s` is an estimate, None where nobody works."""

    before: int
    wait_s: float | None


def place_of(run: Run) -> Place | None:
    """None where it does not wait. Counts rows; reads Redis."""
    if run.state != Run.State.QUEUED:
        return None
    queue = queue_of(run)
    sent = Run.objects.filter(of(queue), state=Run.State.QUEUED, dispatched_at__isnull=False)
    if run.dispatched_at is not None:
        before = sent.filter(dispatched_at__lt=run.dispatched_at).count()
    else:
        waiting = [each.run for each in line(queue)]
        # Behind all that were put in order, where there are very many.
        before = sent.count() + (waiting.index(run.id) if run.id in waiting else len(waiting))
    return Place(before, wait_s(queue, before))


def wait_s(queue: str, before: int) -> float | None:
    """Until a run with so many before it begins, by what workers have taken for theirs lately; of trainings nothing can
    be told, as each is another plan. Reads Redis.
    """
    if queue == TRAIN_QUEUE:
        return None
    there = [beat for beat in stream.living(queue) if takes_jobs(beat)]
    if not there:
        return None
    typical_s = sum(beat.get("run_s") or RUN_S for beat in there) / len(there)
    busy = [beat["busy_s"] for beat in there if beat.get("busy_s") is not None]
    rest_s = 0.0
    if len(busy) == len(there):  # Until the first of them is free; one that takes long will take longer.
        rest_s = min(max(typical_s - seconds, seconds / 2) for seconds in busy)
    return rest_s + before * typical_s / len(there)
