"""Going on with a training that was stopped or that failed: another run of the same plan, from the last checkpoint."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.db import transaction

from webapp import dispatch
from webapp.runs.models import Run
from webapp.runs.submit import send
from workers.protocol import trainings


def kept_checkpoint(run: Run) -> Path | None:
    """From which it can be gone on with; None of one that finished, saved nothing, or ended too long ago."""
    if run.state not in (Run.State.FAILED, Run.State.CANCELLED):
        return None
    path = trainings.checkpoint(settings.DATA, run.id)
    return path if path.is_file() else None


def go_on(run: Run, checkpoint: Path, rate_factor: float | None) -> Run:
    """The new run. `rate_factor` multiplies its planned learning rate. Raises: OSError."""
    with transaction.atomic():
        following = Run.objects.create(kind="train", plan=run.plan, parent=run, owner=run.owner, visitor=run.visitor)
        begun = trainings.checkpoint(settings.DATA, following.id)
        begun.parent.mkdir(parents=True)
        # Nothing changes a checkpoint: the next one is written aside and takes its name.
        os.link(checkpoint, begun)
        transaction.on_commit(lambda: send(following))
    if rate_factor is not None:
        dispatch.order(following.id, {"action": "learning_rate", "factor": rate_factor})
    return following
