"""The site as one ASGI application, behind two guards that every request passes before Django reads its body."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
django.setup(set_prefix=False)

# Models may be imported only after Django is set up.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402
from django.http.request import split_domain_port, validate_host  # noqa: E402

from webapp.api.errors import PROBLEM, problem  # noqa: E402
from webapp.handling import OneThread  # noqa: E402
from webapp.library.tus import Uploads  # noqa: E402
from webapp.urls import socket_urlpatterns  # noqa: E402

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


class SameOrigin:
    """Refuses what another site's page sends in a visitor's name: sockets, and requests that change something.

    A script of one's own sends no Origin and no cookie, and passes. A socket with cookies but without an Origin does
    not: no browser sends that. A socket's Host is checked here too, as Django does for requests: a foreign name that
    was made to point at this machine is equal to its own Origin.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        socket = scope["type"] == "websocket"
        if (socket or scope.get("method") not in SAFE_METHODS) and not self._trusted(scope):
            if socket:
                await WebsocketDenier()(scope, receive, send)
                return
            await refuse(send, 403, "foreign_origin", "This request came from another site's page, and was not done.")
            return
        await self._application(scope, receive, send)

    @staticmethod
    def _trusted(scope: Scope) -> bool:
        headers = dict(scope["headers"])
        socket = scope["type"] == "websocket"
        host = headers.get(b"host", b"").decode("latin-1")
        if socket and not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
            return False
        origin = headers.get(b"origin", b"").decode("latin-1")
        if not origin:
            # A browser tells where a request comes from. One that sends cookies and does not is none of today's.
            return b"cookie" not in headers or (not socket and headers.get(b"sec-fetch-site") == b"same-origin")
        return urlsplit(origin).netloc == host


class BodyLimit:
    """Refuses a body that is too long before it is read. Django would spool all of it to disk first.

    `limits_bytes` are those of addresses with a limit of their own.
    """

    def __init__(self, application: Application, limit_bytes: int, limits_bytes: Mapping[str, int]) -> None:
        self._application = application
        self._limit_bytes = limit_bytes
        self._limits_bytes = limits_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit_bytes = self._limits_bytes.get(scope["path"], self._limit_bytes)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit_bytes:
            await self._refuse(send, limit_bytes)
            return
        received = 0
        answered = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit_bytes:
                raise _BodyTooLongError
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self._application(scope, counted, noted)
        except _BodyTooLongError:
            if not answered:
                await self._refuse(send, limit_bytes)

    @staticmethod
    async def _refuse(send: Send, limit_bytes: int) -> None:
        await refuse(
            send,
            413,
            "body_too_long",
            f"A request may carry {limit_bytes:,} bytes; this one is longer. Send a shorter text, a smaller picture.",
            limit=limit_bytes,
        )


class SignedIn:
    """Channels' session and user of a socket, which sends as if they were not there: theirs looks at the session before
    each message, and a thousand viewers are told twenty thousand a second.
    """

    def __init__(self, application: Application) -> None:
        self._application = AuthMiddlewareStack(self._within)
        self._inner = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application({**scope, "plain_send": send}, receive, send)

    async def _within(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._inner(scope, receive, scope["plain_send"])


class _BodyTooLongError(Exception):
    pass


async def refuse(send: Send, status: int, code: str, message: str, limit: int | None = None) -> None:
    """Answer with the API's error shape, without Django."""
    body = json.dumps(problem(status, code, message, limit=limit)).encode()
    headers = [(b"content-type", PROBLEM.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})


application = ProtocolTypeRouter(
    {
        "http": SameOrigin(
            # Counts bytes itself: its bodies are gigabytes.
            Uploads(
                BodyLimit(
                    OneThread(),
                    settings.BODY_LIMIT_BYTES,
                    {
                        "/api/v1/pictures": settings.PICTURE_LIMIT_BYTES,
                        "/api/v1/archives": settings.ARCHIVE_LIMIT_BYTES,
                    },
                )
            )
        ),
        "websocket": SameOrigin(SignedIn(URLRouter(socket_urlpatterns))),
    }
)
