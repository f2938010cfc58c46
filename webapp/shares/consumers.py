"""The socket of a share: its stored frames, then silence for as long as the share may be seen."""

from __future__ import annotations

import asyncio
import logging

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer

from webapp.accounts.models import Person
from webapp.accounts.ownership import person_of_socket
from webapp.accounts.still import person_still
from webapp.runs.consumers import BAD_AFTER, STALL_S, TOO_SLOW, after_of
from webapp.shares.access import TooManyTriesError, enter
from webapp.shares.models import ShareLink
from workers.protocol import archive

log = logging.getLogger(__name__)

GONE = 4410
LOOK_AGAIN_S = 2.0
"""How long a socket may outlive the right to it."""


class ShareConsumer(AsyncWebsocketConsumer):
    """`/ws/shares/SLUG?after=SEQ`. It stays open after the last frame, so that whoever looks on hears of the end."""

    _showing: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        await self.accept()
        after = after_of(self.scope["query_string"])
        if after is None:
            await self.close(BAD_AFTER, reason="after is the number of the last frame you have, 0 or more")
            return
        share = await self._entered(person_of_socket(self.scope))
        if share is None:
            await self.close(GONE, reason="This link leads nowhere")
            return
        self._showing = asyncio.create_task(self._show(share, after))

    async def disconnect(self, code: int) -> None:
        if self._showing:
            self._showing.cancel()

    async def _show(self, share: ShareLink, after: int) -> None:
        try:
            for stored in await asyncio.to_thread(lambda: list(archive.read(share.folder, after))):
                async with asyncio.timeout(STALL_S):
                    await self.send(bytes_data=stored.frame)
            while await self._entered(await person_still(self.scope)):
                await asyncio.sleep(LOOK_AGAIN_S)
            await self.close(GONE, reason="This link leads nowhere any more")
        except TimeoutError:
            await self.close(TOO_SLOW)
        except OSError:
            pass  # The viewer left while a frame was on its way.
        except Exception:
            log.exception("share %s: its socket broke", share.pk)
            await self.close(1011)

    async def _entered(self, person: Person | None) -> ShareLink | None:
        return await sync_to_async(self._enter)(person)

    def _enter(self, person: Person | None) -> ShareLink | None:
        slug = self.scope["url_route"]["kwargs"]["slug"]
        try:
            found = enter(slug, person, self.scope.get("session", {}))
        except TooManyTriesError:
            return None
        return found if isinstance(found, ShareLink) else None
