"""What staff should know before people tell them: nobody works, people wait, a disk fills, runs fail."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from webapp.fleet.disk import is_low
from webapp.fleet.models import AuditEntry, QueueState, Worker
from webapp.runs.models import Run

SILENT_S = 30.0
UNANSWERED = timedelta(seconds=30)
LATELY = timedelta(hours=1)
FAILURES = 3
OURS = ("internal", "poisoned", "out_of_memory", "storage_full")
"""Codes of failures that are the site's; all others are about what was asked."""


@dataclass(frozen=True)
class Trouble:
    """`kind` chooses the words, `about` is the queue, worker or machine, `number` what is measured."""

    kind: str
    about: str
    number: float = 0.0


def troubles(workers: Sequence[Worker], queues: Sequence[QueueState]) -> Iterator[Trouble]:
    """Reads the database and the disk."""
    now = timezone.now()
    if queues and all((now - queue.looked_at).total_seconds() > SILENT_S for queue in queues):
        yield Trouble("recorder", "", min((now - queue.looked_at).total_seconds() for queue in queues))
    for queue in queues:
        there = [
            worker
            for worker in workers
            if worker.is_living and worker.wanted == "working" and queue.name in worker.pulse.get("queues", [])
        ]
        if not there:
            yield Trouble("nobody", queue.name, queue.waiting)
        if queue.paused:
            yield Trouble("paused", queue.name, queue.waiting)
        elif queue.oldest_s > settings.QUEUE_WARN_S:
            yield Trouble("old", queue.name, queue.oldest_s)
    disk = shutil.disk_usage(settings.DATA)
    if is_low(disk.free, disk.total):
        yield Trouble("disk", "", disk.free)
    for worker in workers:
        gauges = worker.pulse.get("gauges") or {}
        if worker.is_living and gauges and is_low(gauges["disk_free_bytes"], gauges["disk_total_bytes"]):
            yield Trouble("disk", worker.pulse.get("host", worker.name), gauges["disk_free_bytes"])
    failed = Run.objects.filter(state=Run.State.FAILED, ended_at__gt=now - LATELY, error__code__in=OURS).count()
    if failed >= FAILURES:
        yield Trouble("failures", "", failed)
    waiting = AuditEntry.objects.exclude(worker="").filter(answered_at=None, at__lt=now - UNANSWERED)
    for entry in waiting.filter(at__gt=now - LATELY):
        yield Trouble("unanswered", f"{entry.action} {entry.target}")
