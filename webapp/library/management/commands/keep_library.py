"""`manage.py keep_library`: inspects what people bring and tidies up, one process, until it is told to stop."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Any

from django import db
from django.core.management.base import BaseCommand
from django.db import connection

from webapp.library.librarian import Librarian
from webapp.library.removal import collect, expire
from webapp.shares.ending import release_ended

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
TIDY_EVERY_S = 60.0
BACK_OFF_S = 2.0


class Command(BaseCommand):
    help = "Inspect uploads, fetch imports, give room back. Run exactly one."

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._running = True
        librarian, tidied = Librarian(), -TIDY_EVERY_S
        while self._running:
            try:
                librarian.round()
                if time.monotonic() - tidied >= TIDY_EVERY_S:
                    tidied = time.monotonic()
                    expire()
                    collect()
                    librarian.even_out()
                    release_ended()
                time.sleep(LOOK_EVERY_S)
            except (db.Error, OSError) as error:  # OSError: a full disk, a storage that is away.
                log.warning("the library waits: %s", error)
                connection.close()
                time.sleep(BACK_OFF_S)
        librarian.stop()
        # An inspection that is under way is begun again by the next one; nobody waits for it.
        os._exit(0)

    def _stop(self, *_: Any) -> None:
        self._running = False
