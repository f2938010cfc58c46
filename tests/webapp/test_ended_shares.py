"""What a share keeps outlives its end by a week, for a mistake; then the room is given back and the row stays."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from tests.webapp.conftest import store
from webapp import stream
from webapp.runs.models import Run
from webapp.shares import kept
from webapp.shares.ending import KEPT_S, release_ended
from webapp.shares.models import ShareLink

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("end", ["expires_at", "revoked_at"])
def test_only_what_ended_long_ago_is_released(run: Run, end: str) -> None:
    store(run, "started", "tokens", "site", "finished")
    week, minute = timedelta(seconds=KEPT_S), timedelta(minutes=1)
    ends: dict[str, datetime | None] = {
        "long ago": timezone.now() - week - minute,
        "lately": timezone.now() - week + minute,
        "never": None,
    }
    shares = {}
    for name, at in ends.items():
        share = ShareLink.objects.create(run=run, record={}, title=name, openings=3, **{end: at})
        share.size_bytes = kept.keep_frames(share.folder, stream.stored_frames(run.id))
        share.save()
        shares[name] = share
    assert release_ended() == 1
    assert {name: share.folder.exists() for name, share in shares.items()} == {
        "long ago": False,
        "lately": True,
        "never": True,
    }
    released = ShareLink.objects.get(pk=shares["long ago"].pk)
    assert (released.title, released.openings, released.size_bytes) == ("long ago", 3, 0)
    assert release_ended() == 0
