"""What staff can do to queues, workers, models and jobs. Each act is one entry of the audit log, failed ones too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import redis
from django.db import transaction
from django.utils import timezone

from webapp import dispatch
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.fleet.models import AuditEntry, Pin, QueueState, Worker
from webapp.runs.again import queue_again
from webapp.runs.cancel import cancel
from webapp.runs.handing_out import hand_out
from webapp.runs.models import Run
from workers.protocol.fleet import Order
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE

QUEUES = (QUEUE, TRAIN_QUEUE)
AWAY = "The broker is away. What is wanted is written down, and is done when it is back."


class RefusedError(Exception):
    """It was not done; the message says why."""


def do(person: Person, action: str, given: Mapping[str, str]) -> AuditEntry:
    """Do it, and write down who did what to whom, and what came of it as far as that is known at once.

    Raises: RefusedError, after it was written down too.
    """
    act, target_field = ACTS[action]
    target = given.get(target_field, "")
    entry = AuditEntry.objects.create(
        actor=person,
        actor_name=person.email or person.get_username(),
        action=action,
        target=f"{target} {given['model']}" if target_field == "worker" and given.get("model") else target,
        worker=target if target_field == "worker" else "",
    )
    try:
        answer = act(person, entry, given)
    except RefusedError as refused:
        _answer(entry, str(refused))
        raise
    except redis.RedisError as error:
        _answer(entry, AWAY)
        raise RefusedError(AWAY) from error
    if answer:
        _answer(entry, answer)
    return entry


def _answer(entry: AuditEntry, words: str) -> None:
    entry.answer, entry.answered_at = words[:300], timezone.now()
    entry.save(update_fields=["answer", "answered_at"])


def _pause(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    queue = _queue(given)
    QueueState.objects.update_or_create(pk=queue, defaults={"paused": True})
    back = dispatch.withdraw(queue)
    Run.objects.filter(pk__in=back, state=Run.State.QUEUED).update(dispatched_at=None)
    return f"done; {len(back)} runs wait that were handed out already"


def _resume(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    queue = _queue(given)
    QueueState.objects.update_or_create(pk=queue, defaults={"paused": False})
    hand_out(queue)
    return "done"


def _want(wanted: str) -> Callable[[Person, AuditEntry, Mapping[str, str]], str]:
    def act(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
        worker = _worker(given)
        worker.wanted = wanted
        _tell(worker, entry)
        if wanted != Worker.Wanted.WORKING:
            dispatch.take_back_from(worker.name)
        if wanted == Worker.Wanted.STOPPED:
            _put_back(worker)
        return ""

    return act


def _restart(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    dispatch.command(_living(given).name, order=Order("restart", entry.pk))
    return ""


def _evict(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    worker = _living(given)
    if Pin.objects.filter(worker=worker, model=given.get("model", "")).exists():
        raise RefusedError("This model is pinned to the worker. Unpin it first.")
    dispatch.command(worker.name, order=Order("evict", entry.pk, model=given.get("model", "")))
    return ""


def _load(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    worker, checkpoint = _living(given), _model(given)
    dispatch.command(worker.name, order=Order("load", entry.pk, checkpoint.id, checkpoint.path))
    return ""


def _pin(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    worker, checkpoint = _worker(given), _model(given)
    Pin.objects.get_or_create(worker=worker, model=checkpoint.id)
    _tell(worker, entry)
    return ""


def _unpin(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    worker = _worker(given)
    Pin.objects.filter(worker=worker, model=given.get("model", "")).delete()
    _tell(worker, entry)
    return ""


def _cancel(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    if not cancel(_run(given)):
        raise RefusedError("This run had ended before.")
    return "done"


def _requeue(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    if not queue_again(_run(given)):
        raise RefusedError("This run had ended before.")
    return "done"


def _stop_all(person: Person, entry: AuditEntry, given: Mapping[str, str]) -> str:
    """Every worker rests and holds nothing; what runs is put back and waits. Asks who it is again."""
    if not person.check_password(given.get("password", "")):
        raise RefusedError("The password is not right. Nothing was stopped.")
    for worker in Worker.objects.all():
        worker.wanted = Worker.Wanted.STOPPED
        _tell(worker, entry)
        dispatch.take_back_from(worker.name)
    for run in Run.objects.filter(state=Run.State.RUNNING):
        queue_again(run)
    return "done"


ACTS: dict[str, tuple[Callable[[Person, AuditEntry, Mapping[str, str]], str], str]] = {
    "pause": (_pause, "queue"),
    "resume": (_resume, "queue"),
    "work": (_want(Worker.Wanted.WORKING), "worker"),
    "drain": (_want(Worker.Wanted.DRAINED), "worker"),
    "stop": (_want(Worker.Wanted.STOPPED), "worker"),
    "restart": (_restart, "worker"),
    "evict": (_evict, "worker"),
    "load": (_load, "worker"),
    "pin": (_pin, "worker"),
    "unpin": (_unpin, "worker"),
    "cancel": (_cancel, "run"),
    "requeue": (_requeue, "run"),
    "stop-all": (_stop_all, ""),
}
"""By name: what does it, and the field that says to whom. Without an answer, a worker's is awaited."""


def _tell(worker: Worker, entry: AuditEntry) -> None:
    """A standing: written down first, so that a worker that is away hears of it when it comes."""
    worker.order = entry.pk
    with transaction.atomic():
        worker.save(update_fields=["wanted", "order"])
        if entry.worker:
            entry.details = {"standing": entry.pk}
            entry.save(update_fields=["details"])
    dispatch.command(worker.name, standing=worker.standing)


def _put_back(worker: Worker) -> None:
    """What it is on goes on elsewhere. By the rows of runs: a heartbeat may be older than what began since."""
    for run in Run.objects.filter(worker=worker.name, state=Run.State.RUNNING):
        queue_again(run)


def _queue(given: Mapping[str, str]) -> str:
    if given.get("queue") not in QUEUES:
        raise RefusedError("There is no such queue.")
    return given["queue"]


def _worker(given: Mapping[str, Any]) -> Worker:
    worker = Worker.objects.filter(pk=given.get("worker", "")).first()
    if worker is None:
        raise RefusedError("There is no such worker.")
    return worker


def _living(given: Mapping[str, str]) -> Worker:
    worker = _worker(given)
    if not worker.is_living:
        raise RefusedError("This worker is away, so it cannot be asked.")
    return worker


def _model(given: Mapping[str, str]) -> Checkpoint:
    checkpoint = Checkpoint.objects.filter(pk=given.get("model", "")).first()
    if checkpoint is None:
        raise RefusedError("There is no such model.")
    return checkpoint


def _run(given: Mapping[str, str]) -> Run:
    run = Run.objects.filter(pk=given.get("run", "")).first()
    if run is None:
        raise RefusedError("There is no such run.")
    return run
