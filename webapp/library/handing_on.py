"""Bytes that this disk alone has are handed on to the other place: of models that came before one was set, or that it
lost.
"""

from __future__ import annotations

import logging

from webapp.library.adoption import STORING
from webapp.library.models import Blob
from webapp.library.storage import storage

log = logging.getLogger(__name__)


def hand_on() -> int:
    """Asks for each, so once a process is enough. Returns how many the other place lacked. Raises: what it does."""
    kept, handed = storage(), 0
    for sha256 in Blob.objects.order_by("sha256").values_list("sha256", flat=True):
        # One at a time, so that nobody who stores a model waits for all of them, and nothing is dropped on its way.
        with STORING:
            if kept.place(sha256).exists() and Blob.objects.filter(pk=sha256).exists():
                handed += kept.hand_on(sha256)
    if handed:
        log.info("the bytes of %d files of models are in the other place too", handed)
    return handed
