"""The socket of a run: forward its frames, untouched, from the seq that the viewer has."""

from __future__ import annotations

import asyncio
import logging
import time
from urllib.parse import parse_qs
from weakref import WeakKeyDictionary

from channels.db import aclose_old_connections
from channels.generic.websocket import AsyncWebsocketConsumer
from django import db

from webapp import stream
from webapp.accounts.models import Person
from webapp.accounts.ownership import may_enter, may_see, person_of_socket
from webapp.accounts.still import person_still
from webapp.runs.models import Run

log = logging.getLogger(__name__)

ENDED = 1000
BAD_AFTER = 4400
UNKNOWN_RUN = 4404
TOO_SLOW = 4408

LOOK_AGAIN_S = 3.0
"""How long a socket may outlive the right to it."""

SHARED_S = 1.0

STALL_S = 30.0
"""A viewer who takes nothing for this long is let go; it comes back with its last seq and misses nothing."""


class RunConsumer(AsyncWebsocketConsumer):
    """`/ws/runs/ID?after=SEQ`. One way: what a viewer sends is not read."""

    _tasks: tuple[asyncio.Task[None], ...] = ()
    _sending_since: float | None = None

    async def connect(self) -> None:
        # Accepted first in every case: a close code reaches a browser only on an open socket.
        await self.accept()
        after = after_of(self.scope["query_string"])
        if after is None:
            await self.close(BAD_AFTER, reason="after is the number of the last frame you have, 0 or more")
            return
        run = self.scope["url_route"]["kwargs"]["run_id"]
        if not _sees(person_of_socket(self.scope), await _row(run)):
            await self.close(UNKNOWN_RUN, reason="There is no run with this id")
            return
        self._tasks = (asyncio.create_task(self._forward(run, after)), asyncio.create_task(self._guard(run)))

    async def disconnect(self, code: int) -> None:
        for task in self._tasks:
            task.cancel()

    async def _guard(self, run: str) -> None:
        """Rights change while a socket is open: a run is deleted, or is no longer shown to others, or its viewer signs
        out. And whoever takes nothing any more is let go; a clock for each frame of each viewer would cost as much as
        the frame.
        """
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            if self._stalls:
                self._tasks[0].cancel()
                await self.close(TOO_SLOW)
                return
            try:
                sees = _sees(await person_still(self.scope), await _row_for_all(run))
            except db.Error:  # It is away; the next look tells, on a new connection.
                await aclose_old_connections()
                continue
            if not sees:
                self._tasks[0].cancel()
                await self.close(UNKNOWN_RUN, reason="There is no run with this id")
                return

    @property
    def _stalls(self) -> bool:
        return self._sending_since is not None and time.monotonic() - self._sending_since > STALL_S

    async def _forward(self, run: str, after: int) -> None:
        try:
            async for data in stream.follow(run, after):
                self._sending_since = time.monotonic()
                await self.send(bytes_data=data)
                self._sending_since = None
            await self.close(ENDED)
        except OSError:
            pass  # The viewer left while a frame was on its way.
        except Exception:
            log.exception("run %s: its socket broke", run)
            await self.close(1011)


def _sees(person: Person | None, found: Run | None) -> bool:
    return found is not None and may_enter(person) and may_see(person, found)


async def _row(run: str) -> Run | None:
    return await Run.objects.only("owner", "visible").filter(pk=run).afirst()


# An event loop has its own: a task must not be awaited from another loop.
_rows: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Task[Run | None]]] = WeakKeyDictionary()


async def _row_for_all(run: str) -> Run | None:
    """Read once in SHARED_S for all who watch it: a thousand sockets would else ask the database 300 times a second."""
    loop = asyncio.get_running_loop()
    rows = _rows.setdefault(loop, {})
    if run not in rows:
        rows[run] = asyncio.create_task(_row(run))
        loop.call_later(SHARED_S, rows.pop, run, None)
    return await asyncio.shield(rows[run])


def after_of(query: bytes) -> int | None:
    """The seq that a viewer has; None where it is no number."""
    given = parse_qs(query.decode("latin-1")).get("after", ["0"])[-1]
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None
