"""Queue a run again: under the next attempt, so that whoever is on it is refused its next frame."""

from __future__ import annotations

from typing import Any

from django.db.models import F

from webapp import stream
from webapp.runs.models import Run
from webapp.runs.submit import send


def queue_again(run: Run, **changes: Any) -> bool:
    """False where it has ended, or somebody else did so first."""
    taken_over = Run.objects.filter(pk=run.pk, attempt=run.attempt).exclude(state__in=Run.ENDED)
    again = taken_over.update(
        state=Run.State.QUEUED, attempt=F("attempt") + 1, lease_until=None, dispatched_at=None, **changes
    )
    if again:
        stream.void(run.id, run.attempt)
        run.refresh_from_db()
        send(run)
    return bool(again)
