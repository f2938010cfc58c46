"""Stop a run: the site takes it over under the next attempt and ends it at once."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from webapp import stream
from webapp.runs.models import Run
from webapp.runs.replay import replay
from workers.protocol.events import Cancelled


def cancel(run: Run) -> bool:
    """True when it was stopped, False when it had ended before.

    Nobody has to be told: a worker that is on it is refused its next frame and stops, and a job that still waits in
    the queue will not be taken.
    """
    if replay(run.id).ending is not None:
        return False
    stopped = Run.objects.filter(pk=run.pk, attempt=run.attempt).exclude(state__in=Run.ENDED)
    with transaction.atomic():  # Row and last frame, or neither: a viewer of a run without an end waits for ever.
        if not stopped.update(
            state=Run.State.CANCELLED, attempt=F("attempt") + 1, ended_at=timezone.now(), lease_until=None
        ):
            return False
        stream.end_run(run.id, run.attempt + 1, Cancelled())
    return True
