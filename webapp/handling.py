"""How Django answers a request under ASGI: in one thread from the first middleware to the answer, and threads stay."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.base import BaseHandler
from django.http import HttpRequest, HttpResponseBase

KEPT_THREADS = 16
"""How many wait for the next request, each with its connection to the database. More are made while more are needed."""


class OneThread(ASGIHandler):
    """Django's own makes a thread and a connection to the database for each request, and changes between thread and
    event loop for each middleware; that took half of the time of a web process under load.
    """

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        # Views that are coroutines run on the event loop all the same.
        self.load_middleware(is_async=False)
        self.idle: list[ThreadPoolExecutor] = []

    async def __call__(
        self,
        scope: MutableMapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        with self._thread() as thread:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(cast(dict[str, Any], scope), receive, send)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response)(request)

    @contextmanager
    def _thread(self) -> Iterator[ThreadPoolExecutor]:
        """One that nobody else uses."""
        # The last that came back is the first to go again, so that few stay in use when there is little to do.
        thread = self.idle.pop() if self.idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            yield thread
        finally:
            # Where the visitor left, the thread may still be at work for him; it comes back after that.
            thread.submit(self._take_back, thread)

    def _take_back(self, thread: ThreadPoolExecutor) -> None:
        if len(self.idle) < KEPT_THREADS:
            self.idle.append(thread)
        else:
            thread.shutdown(wait=False)
