"""Remove what nobody needs any more: to go on with trainings that ended long ago, and of runs that were deleted."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from webapp.runs.models import Run
from workers.protocol import trainings

log = logging.getLogger(__name__)

KEPT_S = 7 * 24 * 3600.0
"""How long a cancelled or failed training can be gone on with, by the same plan on its folder."""
ORPHANED_S = 600.0
"""Longer than a worker writes at one capture."""
AT_ONCE = 500
"""Names in one question to the database."""


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


def remove_orphaned_captures() -> int:
    """Captures of runs that are gone: a worker keeps one after it told the end, when the run may be deleted already.
    With them what a worker died of writing. Returns how many folders that was.
    """
    old = _untouched_for(ORPHANED_S, settings.DATA / "captures")
    # A run's own is called RUN, one beside it RUN+NAME.
    runs = [folder.name.split("+")[0] for folder in old]
    there: set[str] = set()
    for start in range(0, len(runs), AT_ONCE):
        there.update(Run.objects.filter(pk__in=runs[start : start + AT_ONCE]).values_list("pk", flat=True))
    orphaned = [folder for folder, run in zip(old, runs, strict=True) if run not in there]
    for folder in orphaned:
        shutil.rmtree(folder, ignore_errors=True)
    if orphaned:
        log.info("%d captures of runs that are gone are removed", len(orphaned))
    return len(orphaned)


def _untouched_for(seconds: float, parent: Path) -> list[Path]:
    """Some may go while they are looked at: workers make room."""
    found = []
    for folder in parent.iterdir() if parent.is_dir() else ():
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < time.time() - seconds:
                found.append(folder)
    return found
