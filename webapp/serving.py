"""How the server treats the connection of a websocket: `uvicorn … --ws webapp.serving:WebSocketProtocol`."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

UNTAKEN_S = 60.0
"""For how long what was sent may lie untaken, before the system cuts the connection off."""


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's. That one tells a viewer who takes nothing any more to go, and then waits, for ever, until he has taken
    what was sent before: his connection and its buffers would stay for as long as his machine says that it is there.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        own: socket.socket | None = transport.get_extra_info("socket")
        if own is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            # A second name of the same connection, by its true family: an event loop's own may not be set, and takes
            # a connection of an inherited socket for a Unix one. Those have no such clock.
            with socket.socket(fileno=os.dup(own.fileno())) as connection, suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNTAKEN_S * 1000))
