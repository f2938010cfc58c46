"""Give back the room of shares that nobody can open any more."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from webapp.shares import kept
from webapp.shares.models import ShareLink

log = logging.getLogger(__name__)

KEPT_S = 7 * 24 * 3600.0
"""How long what an expired share draws outlives it, for whoever set too early an end. A withdrawn one's goes at once;
this finds what a crash left of it.
"""


def release_ended() -> int:
    """Deletes what such shares keep; their rows stay, with title and openings. Returns how many those were."""
    before = timezone.now() - timedelta(seconds=KEPT_S)
    ended = ShareLink.objects.filter(Q(expires_at__lt=before) | Q(revoked_at__lt=before), size_bytes__gt=0)
    released = list(ended)
    for share in released:
        kept.forget(share.folder)
        ShareLink.objects.filter(pk=share.pk).update(size_bytes=0)
    if released:
        log.info("what %d ended shares kept is deleted", len(released))
    return len(released)
