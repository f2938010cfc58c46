"""Where a run stands among those that wait for a worker."""

from __future__ import annotations

from webapp.runs.models import Run


def place_of(run: Run) -> int | None:
    """How many runs will be taken before this one, 0 for the next; None where it does not wait. Counts rows."""
    if run.state != Run.State.QUEUED:
        return None
    waiting = Run.objects.filter(state=Run.State.QUEUED, created_at__lt=run.created_at)
    return waiting.filter(plan__isnull=run.plan is None).count()
