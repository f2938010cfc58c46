"""Minutes of training that each has used lately."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import QuerySet
from django.utils import timezone

from webapp.runs.models import Run

MONTH = timedelta(days=30)


def training_minutes(runs: QuerySet[Run]) -> dict[int | None, float]:
    """By owner, of the last 30 days; those that go on count as far as they have come. Reads the database."""
    now = timezone.now()
    spans = runs.filter(plan__isnull=False, started_at__gt=now - MONTH).values_list("owner", "started_at", "ended_at")
    spent: dict[int | None, float] = {}
    for owner, started, ended in spans:
        if started:
            spent[owner] = spent.get(owner, 0.0) + ((ended or now) - started).total_seconds() / 60
    return spent
