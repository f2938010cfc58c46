"""Viewers that do not behave: the site holds no more for them than it must, and nobody else waits."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil
import pytest

from tests.running import RunningSite
from tests.standing_in import LENT, StandIn

EVENTS, EVENT_BYTES, RATE = 600, 64 << 10, 50.0
MORE_MEBIBYTES = 32.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path_factory.mktemp("sockets") / "data", workers=0, **LENT)
    yield running
    running.stop()


def web_mebibytes(site: RunningSite) -> float:
    found: list[psutil.Process] = site.children("uvicorn")
    return sum(process.memory_info().rss for process in found) / 2**20


def opened(site: RunningSite, run: str) -> socket.socket:
    """A socket of which nothing but the handshake's answer was read."""
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 10)
    line.settimeout(20)
    line.connect(("127.0.0.1", site.port))
    key = base64.b64encode(os.urandom(16)).decode()
    words = [f"GET /ws/runs/{run}?after=0 HTTP/1.1", f"Host: 127.0.0.1:{site.port}", "Upgrade: websocket"]
    words += ["Connection: Upgrade", f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
    line.sendall("\r\n".join(words).encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += line.recv(1)
    assert answer.startswith(b"HTTP/1.1 101")
    return line


def rest_of(line: socket.socket) -> bytes:
    """What is on its way to a viewer who begins to read at last."""
    found = bytearray()
    line.settimeout(1)
    with suppress(OSError):
        while piece := line.recv(1 << 20):
            found += piece
    line.close()
    return bytes(found)


@pytest.mark.timeout(300)
def test_viewer_that_does_not_read_costs_little_and_holds_up_nobody(site: RunningSite) -> None:
    worker = StandIn(site, EVENT_BYTES)
    mute, seen, late = opened(site, worker.run), [], []

    def watch() -> None:
        for event, _ in site.frames(worker.run):
            seen.append(event.seq)
            if event.type == "progress":
                late.append(time.time() - event.tokens_per_s)  # type: ignore[attr-defined]

    viewer = threading.Thread(target=watch)
    viewer.start()
    before, most, began = web_mebibytes(site), 0.0, time.monotonic()
    for number in range(EVENTS):
        time.sleep(max(0.0, began + number / RATE - time.monotonic()))
        worker.say(time.time())
        if number % 25 == 0:
            most = max(most, web_mebibytes(site) - before)
    worker.finish()
    viewer.join(60)
    assert seen == list(range(1, EVENTS + 3)), "who reads gets every frame, once"
    assert sorted(late)[int(0.95 * EVENTS)] < 0.5
    assert most <= MORE_MEBIBYTES
    assert len(rest_of(mute)) > EVENTS * EVENT_BYTES, "who begins to read at last gets all of it as well"
