"""Remove what only going on needs, of trainings that nobody went on with."""

from __future__ import annotations

import logging
import shutil
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from webapp.runs.models import Run
from workers.protocol import trainings

log = logging.getLogger(__name__)

KEPT_S = 7 * 24 * 3600.0
"""How long a cancelled or failed training can be gone on with, by the same plan on its folder."""


def remove_leftover_progress() -> int:
    """Weights and optimisers of trainings that ended so long ago; returns how many folders that was."""
    parent = trainings.progress_folder(settings.DATA, "")
    there = [folder.name for folder in parent.iterdir() if folder.is_dir()] if parent.is_dir() else []
    before = timezone.now() - timedelta(seconds=KEPT_S)
    ended = Run.objects.filter(pk__in=there, state__in=Run.ENDED, ended_at__lt=before)
    removed = list(ended.values_list("pk", flat=True))
    for run in removed:
        shutil.rmtree(trainings.progress_folder(settings.DATA, run), ignore_errors=True)
    if removed:
        log.info("what %d trainings needed to go on is removed", len(removed))
    return len(removed)
