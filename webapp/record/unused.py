"""Remove what somebody uploaded and never used."""

from __future__ import annotations

import logging
import time

from django.conf import settings

from webapp.runs.models import Run
from workers.protocol import archives, pictures

log = logging.getLogger(__name__)

KEPT_S = 24 * 3600.0
"""How long a picture, or a zip of them, waits for its first run."""


def remove_unused_pictures() -> int:
    """Pictures that no run names, and what an upload left that broke off; returns how many files that was."""
    old = pictures.stored_before(settings.DATA, time.time() - KEPT_S)
    used = set(Run.objects.filter(picture__in=[path.name for path in old]).values_list("picture", flat=True))
    unused = [path for path in old if path.name not in used]
    for path in unused:
        path.unlink(missing_ok=True)
    if unused:
        log.info("%d pictures that no run uses are removed", len(unused))
    return len(unused)


def remove_unused_archives() -> int:
    """Zips that no training names, as `remove_unused_pictures` does."""
    old = archives.stored_before(settings.DATA, time.time() - KEPT_S)
    named = Run.objects.filter(plan__pictures__in=[path.name for path in old]) if old else Run.objects.none()
    used = set(named.values_list("plan__pictures", flat=True))
    unused = [path for path in old if path.name not in used]
    for path in unused:
        path.unlink(missing_ok=True)
    if unused:
        log.info("%d zips that no training uses are removed", len(unused))
    return len(unused)
