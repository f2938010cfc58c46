"""Workers and queues as rows: what they tell now, how it was, and whether they did what they were asked."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from webapp import dispatch, stream
from webapp.fleet.models import AuditEntry, QueueSample, QueueState, Worker, WorkerSample
from webapp.runs.handing_out import of
from webapp.runs.models import Run
from workers.protocol.fleet import Standing
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE

SAMPLE_EVERY_S = 10.0
FINE, COARSE, KEPT = timedelta(hours=2), timedelta(days=2), timedelta(days=30)
"""Samples are kept as they came, then one a minute, then one a quarter of an hour, and then not at all."""
FORGOTTEN = timedelta(days=7)
"""A worker that has been away for so long, and is not wanted to rest, is a name that will not come back."""


class FleetRows:
    """Written by the recorder alone, each time it looks."""

    def __init__(self) -> None:
        self._sampled = -SAMPLE_EVERY_S

    def write(self) -> None:
        """Raises: redis.RedisError, db.Error; it may be repeated."""
        beats = stream.workers()
        is_time = time.monotonic() - self._sampled >= SAMPLE_EVERY_S
        with transaction.atomic():
            workers = _write_workers(beats)
            queues = [_write_queue(name, beats) for name in (QUEUE, TRAIN_QUEUE)]
            if is_time:
                self._sampled = time.monotonic()
                _sample(workers, queues)
        for worker in workers:
            _say_again(worker)


def record_obeyed(told: dict[str, Any]) -> None:
    """A worker's answer to an order, beside what was asked."""
    asked = AuditEntry.objects.filter(pk=told["order"], worker=told["worker"], answered_at=None)
    asked.update(answered_at=timezone.now(), answer=str(told["answer"])[:300])


def thin() -> int:
    """Forget most of what lies long back; returns how many samples went."""
    now, gone = timezone.now(), 0
    for rows, of_whom in ((WorkerSample.objects, "worker_id"), (QueueSample.objects, "queue")):
        gone += rows.filter(at__lt=now - KEPT).delete()[0]
        for older, newer, bucket_s in ((KEPT, COARSE, 900), (COARSE, FINE, 60)):
            seen: set[tuple[str, int]] = set()
            extra = []
            span = rows.filter(at__gte=now - older, at__lt=now - newer).order_by("at")
            for pk, name, at in span.values_list("pk", of_whom, "at").iterator():
                bucket = (name, int(at.timestamp()) // bucket_s)
                if bucket in seen:
                    extra.append(pk)
                seen.add(bucket)
            for start in range(0, len(extra), 500):
                gone += rows.filter(pk__in=extra[start : start + 500]).delete()[0]
    away = Worker.objects.filter(seen_at__lt=now - FORGOTTEN, wanted=Worker.Wanted.WORKING, pins=None)
    return gone + away.delete()[0]


def _write_workers(beats: Iterable[dict[str, Any]]) -> list[Worker]:
    """The living ones' rows."""
    told, now = {beat["name"]: beat for beat in beats}, timezone.now()
    known = Worker.objects.in_bulk(list(told))
    for name in told.keys() - known.keys():
        known[name] = Worker(name=name)
    for name, worker in known.items():
        worker.pulse, worker.seen_at = told[name], now
    Worker.objects.bulk_create(
        known.values(), update_conflicts=True, unique_fields=["name"], update_fields=["pulse", "seen_at"]
    )
    for worker in known.values():
        follows = worker.pulse.get("standing", {}).get("order", 0)
        if follows:
            wished = AuditEntry.objects.filter(worker=worker.name, answered_at=None, details__standing__lte=follows)
            wished.update(answered_at=now, answer="done")
    return [*known.values()]


def _write_queue(name: str, beats: Iterable[dict[str, Any]]) -> QueueState:
    state, _ = QueueState.objects.get_or_create(pk=name)
    now = timezone.now()
    runs = Run.objects.filter(of(name))
    waiting = runs.filter(state=Run.State.QUEUED)
    oldest = waiting.aggregate(oldest=Min("created_at"))["oldest"]
    state.waiting, state.running = waiting.count(), runs.filter(state=Run.State.RUNNING).count()
    state.workers = sum(name in beat.get("queues", [QUEUE]) for beat in beats)
    state.oldest_s = max(0.0, (now - oldest).total_seconds()) if oldest else 0.0
    state.looked_at = now
    # Not "paused", which people change meanwhile.
    state.save(update_fields=["waiting", "running", "workers", "oldest_s", "looked_at"])
    return state


def _sample(workers: Iterable[Worker], queues: Iterable[QueueState]) -> None:
    now = timezone.now()
    WorkerSample.objects.bulk_create(_sample_of(worker, now) for worker in workers)
    QueueSample.objects.bulk_create(
        QueueSample(
            queue=queue.name,
            at=now,
            waiting=queue.waiting,
            running=queue.running,
            workers=queue.workers,
            oldest_s=queue.oldest_s,
        )
        for queue in queues
    )


def _sample_of(worker: Worker, at: Any) -> WorkerSample:
    gauges = worker.pulse.get("gauges") or {}
    total, free = gauges.get("memory_total_bytes"), gauges.get("memory_free_bytes")
    return WorkerSample(
        worker=worker,
        at=at,
        running=len(worker.pulse.get("running", [])),
        models_held=len(worker.pulse.get("models", {})),
        memory_used_bytes=None if total is None or free is None else max(0, total - free),
        memory_total_bytes=total,
        **{name: gauges.get(name) for name in ("utilisation", "temperature_c", "power_w")},
    )


def _say_again(worker: Worker) -> None:
    """What is wanted of a worker that does not follow it: an emptied broker forgot."""
    wanted, follows = worker.standing, worker.pulse.get("standing")
    if follows is not None and Standing.from_json(follows) != wanted:
        dispatch.keep_standing(worker.name, wanted)
