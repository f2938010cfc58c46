"""The socket of a run: forward its frames, untouched, from the seq that the viewer has."""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import parse_qs

from channels.generic.websocket import AsyncWebsocketConsumer

from webapp import stream
from webapp.accounts.ownership import may_enter, may_see, person_of_socket
from webapp.runs.models import Run

log = logging.getLogger(__name__)

ENDED = 1000
BAD_AFTER = 4400
UNKNOWN_RUN = 4404
TOO_SLOW = 4408

LOOK_AGAIN_S = 3.0
"""How long a socket may outlive the right to it."""

STALL_S = 30.0
"""A viewer who takes nothing for this long is let go; it comes back with its last seq and misses nothing."""


class RunConsumer(AsyncWebsocketConsumer):
    """`/ws/runs/ID?after=SEQ`. One way: what a viewer sends is not read."""

    _tasks: tuple[asyncio.Task[None], ...] = ()

    async def connect(self) -> None:
        # Accepted first in every case: a close code reaches a browser only on an open socket.
        await self.accept()
        after = after_of(self.scope["query_string"])
        if after is None:
            await self.close(BAD_AFTER, reason="after is the number of the last frame you have, 0 or more")
            return
        run = self.scope["url_route"]["kwargs"]["run_id"]
        if not await self._may_see(run):
            await self.close(UNKNOWN_RUN, reason="There is no run with this id")
            return
        self._tasks = (asyncio.create_task(self._forward(run, after)), asyncio.create_task(self._guard(run)))

    async def disconnect(self, code: int) -> None:
        for task in self._tasks:
            task.cancel()

    async def _guard(self, run: str) -> None:
        """Rights change while a socket is open: a run is deleted, or is no longer shown to others."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_S)
            if not await self._may_see(run):
                self._tasks[0].cancel()
                await self.close(UNKNOWN_RUN, reason="There is no run with this id")
                return

    async def _may_see(self, run: str) -> bool:
        found = await Run.objects.only("owner", "visible").filter(pk=run).afirst()
        person = person_of_socket(self.scope)
        return found is not None and may_enter(person) and may_see(person, found)

    async def _forward(self, run: str, after: int) -> None:
        try:
            async for data in stream.follow(run, after):
                await asyncio.wait_for(self.send(bytes_data=data), STALL_S)
            await self.close(ENDED)
        except TimeoutError:
            await self.close(TOO_SLOW)
        except OSError:
            pass  # The viewer left while a frame was on its way.
        except Exception:
            log.exception("run %s: its socket broke", run)
            await self.close(1011)


def after_of(query: bytes) -> int | None:
    """The seq that a viewer has; None where it is no number."""
    given = parse_qs(query.decode("latin-1")).get("after", ["0"])[-1]
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else None
