"""What each may use: runs a minute, jobs at once, storage, minutes of training. Shown on /account, refused with 429."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from webapp.accounts.models import Person
from webapp.accounts.ownership import person_of
from webapp.accounts.visitors import visitor_of
from webapp.runs.models import Run
from webapp.runs.spent import training_minutes
from webapp.shares.models import ShareLink
from workers.protocol import archive

MINUTE = timedelta(minutes=1)
SIZES_KEPT_S = 60
QUEUE_RETRY_S = 10


@dataclass(frozen=True)
class Limits:
    """`jobs` are those that run or wait. None: as much as there is."""

    runs_a_minute: int | None = None
    running: int | None = None
    queued: int | None = None
    storage_bytes: int | None = None
    training_minutes: int | None = None


@dataclass(frozen=True)
class Use:
    """What there is of each now; storage as of the last minute, training of the last 30 days."""

    runs_a_minute: int
    running: int
    queued: int
    storage_bytes: int
    training_minutes: float


class LimitError(Exception):
    """More than one may use. `retry_after_s` where waiting helps."""

    def __init__(self, code: str, message: str, limit: int, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.limit, self.retry_after_s = code, message, limit, retry_after_s


def limits_of(person: Person | None) -> Limits:
    if person is None:
        # On one's own machine nobody else asks.
        return Limits() if settings.OWN_MACHINE else Limits(**settings.LIMITS["visitor"])
    return Limits(**settings.LIMITS[person.acts_as])


def use_of(request: HttpRequest) -> Use:
    """Reads the database; storage reads the disk, once a minute."""
    runs = _runs_of(request)
    person = person_of(request)
    return Use(
        runs_a_minute=runs.filter(created_at__gt=timezone.now() - MINUTE).count(),
        running=runs.filter(state=Run.State.RUNNING).count(),
        queued=runs.filter(state=Run.State.QUEUED).count(),
        storage_bytes=storage_of(person) if person else 0,
        training_minutes=_training_minutes(runs),
    )


def allow(request: HttpRequest, jobs: int = 1, trains: bool = False) -> None:
    """Before so many jobs are made. Raises: LimitError; nothing is made then."""
    person = person_of(request)
    limits = limits_of(person)
    runs = _runs_of(request)
    now = timezone.now()
    if limits.runs_a_minute is not None:
        lately = runs.filter(created_at__gt=now - MINUTE)
        count = lately.count()
        oldest = lately.order_by("created_at").values_list("created_at", flat=True).first() or now
        reset_s = max(1, math.ceil((oldest + MINUTE - now).total_seconds()))
        left = max(0, limits.runs_a_minute - count - jobs)
        request.rate = (limits.runs_a_minute, left, reset_s)  # type: ignore[attr-defined]
        # A sweep is one request, and may have more rows than a minute has runs.
        if count >= limits.runs_a_minute:
            raise LimitError(
                "too_many_runs",
                f"{limits.runs_a_minute} runs a minute are allowed here. Go on in {reset_s} s.",
                limits.runs_a_minute,
                reset_s,
            )
    if limits.queued is not None and limits.running is not None:
        going = runs.filter(state__in=[Run.State.QUEUED, Run.State.RUNNING]).count()
        most = limits.queued + limits.running
        if going + jobs > most:
            raise LimitError(
                "too_many_jobs",
                f"{limits.running} jobs may run and {limits.queued} wait at once; {going} do. Wait until some end.",
                most,
                QUEUE_RETRY_S,
            )
    if trains and limits.training_minutes is not None:
        used = _training_minutes(runs)
        if used >= limits.training_minutes:
            raise LimitError(
                "training_used_up",
                f"{limits.training_minutes} minutes of training in 30 days are allowed here, and are used up.",
                limits.training_minutes,
                24 * 3600,
            )
    allow_storage(person)


def allow_storage(person: Person | None) -> None:
    """Raises: LimitError where what somebody keeps has filled what she has."""
    limit = limits_of(person).storage_bytes
    if person is not None and limit is not None and storage_of(person) >= limit:
        message = f"Your storage of {limit // 1_000_000:,} MB is full. Delete runs or shares that you no longer need."
        raise LimitError("storage_full", message, limit)


def storage_of(person: Person) -> int:
    """Bytes of one's runs, shares and models. Reads the disk, once a minute."""
    key = f"storage-{person.pk}"
    known = cache.get(key)
    if known is None:
        runs = person.runs.values_list("pk", flat=True).iterator()
        shares = ShareLink.objects.filter(owner=person).values_list("size_bytes", flat=True)
        models = person.checkpoints.values_list("manifest", flat=True)
        known = sum(map(_run_bytes, runs)) + sum(shares) + sum(model.get("size_bytes", 0) for model in models)
        cache.set(key, known, SIZES_KEPT_S)
    return int(known)


def forget_storage(person: Person | None) -> None:
    """What was deleted frees room at once."""
    if person is not None:
        cache.delete(f"storage-{person.pk}")


class RateHeaders(MiddlewareMixin):
    """Tells whoever made a run how many more she may make, and when the count begins anew (draft RateLimit headers)."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        rate = getattr(request, "rate", None)
        if rate:
            for name, value in zip(("Limit", "Remaining", "Reset"), rate, strict=True):
                response[f"RateLimit-{name}"] = str(value)
        return response


def _runs_of(request: HttpRequest) -> QuerySet[Run]:
    person = person_of(request)
    return Run.objects.filter(owner=person) if person else Run.objects.filter(owner=None, visitor=visitor_of(request))


def _training_minutes(runs: QuerySet[Run]) -> float:
    return sum(training_minutes(runs).values())


def _run_bytes(run: str) -> int:
    folder = archive.folder(settings.DATA, run)
    return sum(path.stat().st_size for path in folder.iterdir()) if folder.is_dir() else 0


def shown(limits: Limits, use: Use) -> list[dict[str, Any]]:
    """A row for each limit, for the account's page."""
    rows = [
        ("runs", use.runs_a_minute, limits.runs_a_minute, 1),
        ("running", use.running, limits.running, 1),
        ("queued", use.queued, limits.queued, 1),
        ("storage", use.storage_bytes, limits.storage_bytes, 1_000_000),
        ("training", use.training_minutes, limits.training_minutes, 1),
    ]
    return [
        {"name": name, "used": math.ceil(used / unit), "limit": None if limit is None else limit // unit}
        for name, used, limit, unit in rows
    ]
