"""What a stopped training needs to go on stays for a week, and is then removed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from webapp.record.leftovers import KEPT_S, remove_leftover_progress
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
