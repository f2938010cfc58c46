"""The process beside the web that inspects, imports and tidies up: its rounds, one small step each."""

from __future__ import annotations

import logging
import time
from concurrent.futures import Future, ThreadPoolExecutor

from django import db
from django.db import connection

from webapp.library.adoption import adopt
from webapp.library.fetching_back import fetch_back
from webapp.library.handing_on import hand_on
from webapp.library.importing import fetch
from webapp.library.models import Arrival

log = logging.getLogger(__name__)

AT_ONCE = 2
"""One slow inspection does not hold up the next person's."""
REST_S = 20.0


class Librarian:
    """Exactly one lives: what it finds in the middle of an inspection, one before it has left."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE + 1, thread_name_prefix="librarian")
        self._busy: dict[str, Future[bool]] = {}
        self._resting: dict[str, float] = {}
        self._moving: Future[None] | None = None
        self._handed_on = False

    def round(self) -> int:
        """Begins what waits, as far as there is a hand free. Returns how many are being looked through."""
        for id_, future in list(self._busy.items()):
            if future.done():
                del self._busy[id_]
                if not future.result():
                    self._resting[id_] = time.monotonic() + REST_S
        self._resting = {id_: until for id_, until in self._resting.items() if until > time.monotonic()}
        waiting = Arrival.objects.filter(
            state__in=[Arrival.State.IMPORTING, Arrival.State.UPLOADED, Arrival.State.INSPECTING]
        )
        for arrival in waiting.exclude(pk__in=[*self._busy, *self._resting]).order_by("created_at")[:AT_ONCE]:
            if len(self._busy) < AT_ONCE:
                self._busy[arrival.id] = self._threads.submit(_work_on, arrival)
        return len(self._busy)

    def even_out(self) -> None:
        """Begins to lay out models whose folders are gone and, once, to hand on what the other place lacks; beside
        everything else, and not while it is still at it.
        """
        if self._moving is None or self._moving.done():
            self._moving = self._threads.submit(self._move)

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _move(self) -> None:
        try:
            fetch_back()
            # Whatever comes later is put into both places when it comes.
            if not self._handed_on:
                hand_on()
                self._handed_on = True
        except Exception as error:  # Each storage has its own ways to say that it is away.
            log.warning("models are not moved between this disk and the other place: %s", error)
        finally:
            connection.close()


def _work_on(arrival: Arrival) -> bool:
    """False where the fault is the site's, and it is to be tried again after a while."""
    try:
        if arrival.state == Arrival.State.IMPORTING:
            fetch(arrival)
        else:
            adopt(arrival)
        return True
    except (db.Error, OSError) as error:  # A full disk, a storage that is away: the next round tries again.
        log.warning("arrival %s waits: %s", arrival.id, error)
    except Exception:
        log.exception("arrival %s", arrival.id)
    finally:
        connection.close()
    return False
