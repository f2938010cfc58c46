"""`manage.py record`: the truth keeper, one process, until it is told to stop."""

from __future__ import annotations

import logging
import signal
import time
from typing import Any

import redis
from django import db
from django.core.management.base import BaseCommand
from django.db import connection

from webapp import dispatch
from webapp.record import fleet_rows, keeper
from webapp.record.leftovers import remove_leftover_progress, remove_orphaned_captures
from webapp.record.unused import remove_unused_archives, remove_unused_pictures

log = logging.getLogger(__name__)

BLOCK_S = 1.0
LOOK_EVERY_S = 2.0
CLEAR_EVERY_S = 3600.0
BACK_OFF_S = 2.0


class Command(BaseCommand):
    help = "Write down what workers tell, renew and end leases, send what waits. Run exactly one."

    def handle(self, *args: Any, **options: Any) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._running = True
        looked = cleared = -CLEAR_EVERY_S
        rows = fleet_rows.FleetRows()
        while self._running:
            try:
                keeper.record_lifecycle(BLOCK_S)
                if time.monotonic() - looked >= LOOK_EVERY_S:
                    looked = time.monotonic()
                    keeper.send_waiting()
                    keeper.renew_leases()
                    keeper.requeue_lost()
                    dispatch.balance()
                    rows.write()
                if time.monotonic() - cleared >= CLEAR_EVERY_S:
                    cleared = time.monotonic()
                    remove_unused_pictures()
                    remove_unused_archives()
                    remove_leftover_progress()
                    remove_orphaned_captures()
                    fleet_rows.thin()
            except (redis.RedisError, db.Error, OSError) as error:  # OSError: a full disk, a file that is away.
                log.warning("the recorder waits: %s", error)
                connection.close()
                time.sleep(BACK_OFF_S)

    def _stop(self, *_: Any) -> None:
        self._running = False
