"""The fleet's page: all is read from rows, so that it is right after any restart; what is done goes by POST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from webapp.accounts.ownership import person_of
from webapp.administration import actions
from webapp.administration.charts import charts
from webapp.administration.troubles import troubles
from webapp.checkpoints.models import Checkpoint
from webapp.fleet.models import AuditEntry, QueueState, Worker
from webapp.runs.handing_out import line, queue_of
from webapp.runs.models import Run
from webapp.runs.queue import wait_s

SPANS = {"1": timedelta(days=1), "7": timedelta(days=7), "30": timedelta(days=30)}
SHOWN_JOBS, SHOWN_ENTRIES = 50, 20


@require_safe
def fleet(request: HttpRequest) -> HttpResponse:
    """All of it, or, for a page that asks again, what changes."""
    days = request.GET.get("days", "1")
    workers = list(Worker.objects.prefetch_related("pins"))
    queues = list(QueueState.objects.all())
    context = {
        **admin.site.each_context(request),
        "title": "Fleet",
        "workers": [_worker(worker) for worker in workers],
        "queues": queues,
        "troubles": list(troubles(workers, queues)),
        **_jobs(),
        "models": Checkpoint.objects.values_list("id", flat=True),
        "entries": AuditEntry.objects.all()[:SHOWN_ENTRIES],
        "days": days if days in SPANS else "1",
        "spans": list(SPANS),
        "charts": charts(SPANS.get(days, SPANS["1"])),
    }
    return render(request, "admin/fleet.html", context)


@require_POST
def do(request: HttpRequest) -> HttpResponse:
    """One act; what came of it stands on the page that follows, and in the audit log."""
    person, action = person_of(request), request.POST.get("action", "")
    assert person is not None
    if action in actions.ACTS:
        try:
            actions.do(person, action, request.POST.dict())
            messages.success(request, action)
        except actions.RefusedError as refused:
            messages.error(request, str(refused))
    return redirect("admin:fleet")


def _worker(worker: Worker) -> dict[str, Any]:
    pulse, gauges = worker.pulse, worker.pulse.get("gauges") or {}
    total, free = gauges.get("memory_total_bytes"), gauges.get("memory_free_bytes")
    pinned = {pin.model for pin in worker.pins.all()}
    sizes = pulse.get("sizes_bytes", {})
    held = {**dict.fromkeys(pinned, "pinned"), **(pulse.get("models", {}) if worker.is_living else {})}
    return {
        "row": worker,
        "pulse": pulse,
        "gauges": gauges,
        "state": _state(worker),
        "memory_used": None if total is None or free is None else total - free,
        "memory_total": total,
        "versions": ", ".join(f"{name} {said}" for name, said in pulse.get("versions", {}).items()),
        "models": [
            {"id": model, "state": state, "size_bytes": sizes.get(model), "pinned": model in pinned}
            for model, state in held.items()
        ],
        "runs": list(Run.objects.filter(pk__in=[told["run"] for told in worker.running])),
        "age_s": (timezone.now() - worker.seen_at).total_seconds(),
    }


def _state(worker: Worker) -> str:
    """What it does, in one word; "away" says that it is gone, whatever is wanted of it."""
    if not worker.is_living:
        return "away"
    follows = worker.pulse.get("standing", {}).get("wanted", "working")
    if worker.pulse.get("leaving"):
        return "ending"
    if worker.wanted != follows:
        return "asked"
    if follows == "working":
        return "at work" if worker.running else "idle"
    return "draining" if worker.running else follows


def _jobs() -> dict[str, Any]:
    """Those that run and those that wait, with the place and the wait of each."""
    now = timezone.now()
    running = Run.objects.filter(state=Run.State.RUNNING).select_related("checkpoint", "owner")[:SHOWN_JOBS]
    jobs = [
        {"run": run, "running_s": (now - run.started_at).total_seconds() if run.started_at else 0.0} for run in running
    ]
    queued = Run.objects.filter(state=Run.State.QUEUED).select_related("checkpoint", "owner")
    for queue in actions.QUEUES:
        sent = [run for run in queued.exclude(dispatched_at=None).order_by("dispatched_at") if queue_of(run) == queue]
        later = [waiting.run for waiting in line(queue)[:SHOWN_JOBS]]
        found = queued.in_bulk(later)
        for before, run in enumerate([*sent, *(found[run] for run in later if run in found)][:SHOWN_JOBS]):
            waited_s = (now - run.created_at).total_seconds()
            jobs.append({"run": run, "before": before, "wait_s": wait_s(queue, before), "waited_s": waited_s})
    return {"jobs": jobs}
