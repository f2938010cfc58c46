"""Keep the rows true: what workers tell, whose worker is gone, what the broker has forgotten.

Every step may be repeated, and is, after a crash: updates name the attempt they are about, so an old one changes
nothing.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from webapp import dispatch, stream
from webapp.record.fleet_rows import record_obeyed
from webapp.record.trained import take_trained
from webapp.runs.again import queue_again
from webapp.runs.handing_out import hand_out, of
from webapp.runs.models import Run
from webapp.runs.replay import replay
from workers.protocol.events import Failed
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE

log = logging.getLogger(__name__)

RESEND_AFTER_S = 15.0
"""A run that was sent so long ago, while nothing waits in the queue, was lost on its way."""


def record_lifecycle(block_s: float) -> int:
    """Write down what workers told since last time; returns how much that was."""
    entries = stream.lifecycle(block_s)
    for entry, told in entries:
        record(told)
        stream.lifecycle_read(entry)
    if entries:
        # A run that began left room for the next.
        for queue in (QUEUE, TRAIN_QUEUE):
            hand_out(queue)
    return len(entries)


def record(told: dict[str, Any]) -> None:
    """One event of a run's life. About an attempt that is no longer in force it changes nothing."""
    if told["event"] == "obeyed":
        record_obeyed(told)
        return
    now = timezone.now()
    row = Run.objects.filter(pk=told["run"], attempt=told["attempt"]).exclude(state__in=Run.ENDED)
    match told["event"]:
        case "started":
            row.update(
                state=Run.State.RUNNING,
                worker=told["worker"],
                implementation=told["implementation"],
                started_at=now,
                lease_until=_lease(),
            )
        case "finished":
            row.update(
                state=Run.State.FINISHED,
                ended_at=now,
                lease_until=None,
                implementation=told["implementation"],
                timings=told["timings"],
            )
            take_trained(told["run"])
        case "failed":
            error = {"code": told["code"], "message": told["message"]}
            row.update(state=Run.State.FAILED, ended_at=now, lease_until=None, error=error)
        case "cancelled":
            row.update(state=Run.State.CANCELLED, ended_at=now, lease_until=None)
        case "handed_back":
            for run in row:
                queue_again(run)


def renew_leases() -> None:
    """Give every run that a living worker is on more time."""
    for beat in stream.workers():
        for running in beat["running"]:
            row = Run.objects.filter(pk=running["run"], attempt=running["attempt"], state=Run.State.RUNNING)
            # A beat stays for a while after its worker died, and must not be taken for a new one each time.
            row.update(lease_until=_lease() - timedelta(seconds=beat["age_s"]))


def requeue_lost() -> None:
    """Queue again what a worker took and did not end; fail what has cost too many workers."""
    for run in Run.objects.filter(state=Run.State.RUNNING, lease_until__lt=timezone.now()):
        if _ended_unheard(run):
            continue
        if run.losses + 1 >= settings.ATTEMPTS:
            _give_up(run)
        else:
            log.warning("run %s: its worker %s is gone, attempt %d follows", run.id, run.worker, run.attempt + 1)
            queue_again(run, losses=F("losses") + 1)


def send_waiting() -> None:
    """Send what was never sent, what got lost on its way, and everything that an emptied broker has forgotten."""
    forgotten = dispatch.broker_came_back_empty()
    waiting = Run.objects.filter(state=Run.State.QUEUED)
    late = Q() if forgotten else Q(dispatched_at__lt=timezone.now() - timedelta(seconds=RESEND_AFTER_S))
    for queue in (QUEUE, TRAIN_QUEUE):
        lost = waiting.filter(late, of(queue), dispatched_at__isnull=False)
        if lost.exists() and (forgotten or dispatch.queue_length(queue) == 0):
            for run in lost:
                if not _ended_unheard(run):
                    queue_again(run)
        hand_out(queue)
    if forgotten:
        # Whoever was running when Redis went has lost its place there; its lease decides.
        log.info("the broker came back empty and was filled again")


def _ended_unheard(run: Run) -> bool:
    """Whether the run's last frame is stored and only the news of it was lost; then the row follows now."""
    ending = replay(run.id).ending
    if ending is None:
        return False
    record({"run": run.id, "attempt": run.attempt, "event": ending["type"], **ending})
    return True


def _give_up(run: Run) -> None:
    message = (
        f"This run lost its worker {settings.ATTEMPTS} times and is not tried again. The worker's log may say why."
    )
    failed = Failed(code="poisoned", message=message)
    error = {"code": failed.code, "message": failed.message}
    given_up = Run.objects.filter(pk=run.pk, attempt=run.attempt, state=Run.State.RUNNING)
    with transaction.atomic():  # Row and last frame, or neither: a viewer of a run without an end waits for ever.
        if given_up.update(
            state=Run.State.FAILED,
            attempt=F("attempt") + 1,
            losses=F("losses") + 1,
            ended_at=timezone.now(),
            error=error,
        ):
            stream.end_run(run.id, run.attempt + 1, failed)


def _lease() -> Any:
    return timezone.now() + timedelta(seconds=settings.LEASE_S)
