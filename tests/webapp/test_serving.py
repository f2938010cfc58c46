"""A viewer who takes nothing any more does not keep his connection for ever."""

from __future__ import annotations

import base64
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from tests.waiting import until
from webapp import serving
from webapp.supervise.instance import listen

HELLO = (
    "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n"
)


async def more_than_fits(scope: Any, receive: Any, send: Any) -> None:
    """Sends more than the buffers of both ends take, then says that it is over."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "bytes": bytes(64 << 20)})
    await send({"type": "websocket.close", "code": 4408})


@pytest.fixture(params=["its own socket", "an inherited one"])
def server(request: pytest.FixtureRequest) -> Iterator[tuple[uvicorn.Server, int]]:
    """As a service and as ./run start it, and its port."""
    with listen(None) as listener:
        given: dict[str, Any] = {"fd": listener.fileno()} if request.param == "an inherited one" else {"port": 0}
        given |= {"lifespan": "off", "log_level": "error", "ws": "webapp.serving:WebSocketProtocol"}
        found = uvicorn.Server(uvicorn.Config(more_than_fits, **given))
        thread = threading.Thread(target=found.run)
        thread.start()
        until(lambda: found.started)
        yield found, (listener if "fd" in given else found.servers[0].sockets[0]).getsockname()[1]
        found.force_exit = found.should_exit = True
        thread.join(20)


def test_connection_of_a_viewer_who_takes_nothing_is_cut_off(
    server: tuple[uvicorn.Server, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "UNTAKEN_S", 1.0)
    running, port = server
    with socket.create_connection(("127.0.0.1", port)) as viewer:
        viewer.sendall(HELLO.encode())
        assert viewer.recv(12) == b"HTTP/1.1 101"
        until(lambda: running.server_state.connections)
        until(lambda: not running.server_state.connections, 20)
