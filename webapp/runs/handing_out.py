"""When a run goes to the workers: in turn between people, and only as many as they will soon come to.

The rest waits in the database, where the order can still change, and where a queue can be paused.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import redis
from django.db.models import Q
from django.utils import timezone

from webapp import dispatch, stream
from webapp.fleet.models import QueueState
from webapp.runs.models import Run
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE

log = logging.getLogger(__name__)

AHEAD, AHEAD_AT_LEAST = 2, 4
"""How many runs wait in the broker for each worker, so that none is idle while the next is looked up; and for all."""
LOOKED_THROUGH = 1_000
"""Of those that wait, how many are put in order at once."""


class Waiting(NamedTuple):
    run: str
    person: str
    is_again: bool
    created_at: datetime


def hand_out(queue: str) -> int:
    """Send the next runs, as far as workers will come to them soon; returns how many. Reads the broker.

    None where the queue is paused, or the broker is away: the recorder tries again.
    """
    try:
        room = max(AHEAD_AT_LEAST, AHEAD * len(stream.workers(queue))) - dispatch.queue_length(queue)
    except redis.RedisError:
        return 0
    if room <= 0 or QueueState.objects.filter(pk=queue, paused=True).exists():
        return 0
    sent = 0
    for waiting in line(queue)[:room]:
        if not _send(waiting.run):
            break
        sent += 1
    return sent


def line(queue: str) -> list[Waiting]:
    """The runs that wait in the database, in the order in which they will be sent. Reads up to LOOKED_THROUGH rows.

    Who was served least comes next; what lost its worker comes before all.
    """
    rows = Run.objects.filter(of(queue), state=Run.State.QUEUED, dispatched_at=None).order_by("created_at", "id")
    found = [
        Waiting(run, str(owner or visitor or ""), attempt > 1, created_at)
        for run, owner, visitor, attempt, created_at in rows.values_list(
            "id", "owner_id", "visitor", "attempt", "created_at"
        )[:LOOKED_THROUGH]
    ]
    first = [waiting for waiting in found if not waiting.is_again]
    return [*(waiting for waiting in found if waiting.is_again), *_in_turn(first, _served(queue, first))]


def of(queue: str) -> Q:
    """Trainings have a queue of their own."""
    return Q(plan__isnull=queue != TRAIN_QUEUE)


def queue_of(run: Run) -> str:
    return QUEUE if run.plan is None else TRAIN_QUEUE


def _served(queue: str, waiting: Sequence[Waiting]) -> Counter[str]:
    """How many runs of each person the workers have, will have next, or were given since all of these people wait;
    nobody is asked where one person waits. Without the last, short runs of whoever came first would all go first.
    """
    waits_since: dict[str, datetime] = {}
    for each in waiting:
        waits_since.setdefault(each.person, each.created_at)
    if len(waits_since) < 2:
        return Counter()
    with_workers = Q(state=Run.State.RUNNING) | Q(state=Run.State.QUEUED, dispatched_at__isnull=False)
    lately = Q(dispatched_at__gte=max(waits_since.values()))
    rows = Run.objects.filter(of(queue), with_workers | lately).order_by().values_list("owner_id", "visitor")
    return Counter(str(owner or visitor or "") for owner, visitor in rows)


def _in_turn(waiting: Sequence[Waiting], served: Counter[str]) -> Iterator[Waiting]:
    """One after the other from whoever has been served least; between equals from whoever waits longest."""
    theirs: dict[str, deque[tuple[int, Waiting]]] = defaultdict(deque)
    for place, each in enumerate(waiting):
        theirs[each.person].append((place, each))
    turns = [(served[person], own[0][0], person) for person, own in theirs.items()]
    heapq.heapify(turns)
    while turns:
        had, _, person = heapq.heappop(turns)
        yield theirs[person].popleft()[1]
        if theirs[person]:
            heapq.heappush(turns, (had + 1, theirs[person][0][0], person))


def _send(run_id: str) -> bool:
    """False where the broker is away. Claimed before it is sent: two processes never send the same."""
    waiting = Run.objects.filter(pk=run_id, state=Run.State.QUEUED, dispatched_at=None)
    if not waiting.update(dispatched_at=timezone.now()):
        return True
    run = Run.objects.select_related("checkpoint").get(pk=run_id)
    size_bytes = int(run.checkpoint.manifest.get("size_bytes", 0)) if run.checkpoint else 0
    if dispatch.send(run.job(), size_bytes):
        return True
    Run.objects.filter(pk=run_id, attempt=run.attempt, state=Run.State.QUEUED).update(dispatched_at=None)
    return False
