"""What nobody needs any more is removed: of stopped trainings after a week, of deleted runs within the hour."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from webapp.record.leftovers import KEPT_S, ORPHANED_S, remove_leftover_progress, remove_orphaned_captures
from webapp.runs.models import Run
from workers.protocol import trainings


@pytest.mark.django_db
def test_only_what_ended_long_ago_is_removed() -> None:
    assert remove_leftover_progress() == 0
    old, new = timezone.now() - timedelta(seconds=KEPT_S + 60), timezone.now() - timedelta(seconds=KEPT_S - 60)
    cases = [("cancelled", old, False), ("failed", old, False), ("cancelled", new, True), ("running", None, True)]
    kept = {}
    for state, ended_at, is_kept in cases:
        run = Run.objects.create(kind="train", plan={"assignment": "copy"}, state=state, ended_at=ended_at)
        folder = trainings.progress_folder(settings.DATA, run.id)
        folder.mkdir(parents=True)
        (folder / "last.pt").write_bytes(b"weights")
        kept[folder] = is_kept
    stranger = trainings.progress_folder(settings.DATA, "of-another-site")
    stranger.mkdir()
    assert remove_leftover_progress() == 2
    assert {folder: folder.exists() for folder in kept} == kept and stranger.exists()


@pytest.mark.django_db
def test_capture_that_came_after_its_run_was_deleted_is_removed(run: Run) -> None:
    """A worker writes it after it told the end. Of 22,000 runs that were deleted at once, 90 left theirs."""
    captures = settings.DATA / "captures"
    shutil.rmtree(captures, ignore_errors=True)
    assert remove_orphaned_captures() == 0
    gone = "b" * 26
    kept = {run.id: True, f"{run.id}+values": True, gone: False, f"{gone}+values": False, f".{gone}.half": False}
    for name in kept:
        folder = captures / name
        folder.mkdir(parents=True)
        (folder / "capture.json").write_text("{}")
        old = timezone.now().timestamp() - ORPHANED_S - 60
        os.utime(folder, (old, old))
    written_now = captures / ("c" * 26)
    written_now.mkdir()
    assert remove_orphaned_captures() == 3
    assert {name: (captures / name).exists() for name in kept} == kept and written_now.exists()
    shutil.rmtree(captures)
