"""`python -m tests.benchmarks.watching PORT PATH COUNT EVENTS`: watches a run on so many sockets; how late was it?

A process of its own, so that its work is not counted among the site's; and it takes a frame apart no further than it
must, as on two cores a library that does all of a socket's work is slower than what is measured.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import sys
import time
from typing import Any

from workers.protocol import frame

SAID = re.compile(rb'"tokens_per_s": ?([0-9.]+)')
HEADER_BYTES = 600
CLOSE = 0x8
PER_BATCH = 50


class Watcher(asyncio.Protocol):
    """One socket. Source: RFC 6455, sections 4.1 (opening) and 5.2 (frames, of a server never masked)."""

    def __init__(self, path: str, late: list[float]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()
        self._path, self._late, self._seen, self._rest = path, late, 0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        asked = [f"GET {self._path} HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
        asked += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13", "", ""]
        transport.write("\r\n".join(asked).encode())

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if not self.opened.done():
            head, found, self._rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                self._rest = head
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self.opened.set_result(None)
        start = 0
        while (end := _end_of_frame(self._rest, start)) is not None:
            begin, stop = end
            self._take(self._rest[start] & 0xF, self._rest[begin:stop])
            start = stop
        self._rest = self._rest[start:]

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ended.done():
            self.ended.set_result(self._seen)

    def _take(self, opcode: int, payload: bytes) -> None:
        if said := SAID.search(payload, 0, HEADER_BYTES):
            self._seen += 1
            self._late.append(time.time() - float(said[1]))
        elif opcode == CLOSE or (payload.startswith(b"HLF") and frame.ends_run(payload)):
            if not self.ended.done():
                self.ended.set_result(self._seen)
            self._transport.close()


def _end_of_frame(data: bytes, start: int) -> tuple[int, int] | None:
    """Where its payload begins and ends; None while it is not all here."""
    if len(data) < start + 2:
        return None
    length, begin = data[start + 1], start + 2
    if length >= 126:
        begin += 2 if length == 126 else 8
        if len(data) < begin:
            return None
        length = int.from_bytes(data[start + 2 : begin], "big")
    return None if len(data) < begin + length else (begin, begin + length)


async def _watch(port: int, path: str, count: int, events: int) -> dict[str, Any]:
    late: list[float] = []
    watchers: list[Watcher] = []
    loop = asyncio.get_running_loop()
    for _ in range(0, count, PER_BATCH):
        made = [loop.create_connection(lambda: Watcher(path, late), "127.0.0.1", port) for _ in range(PER_BATCH)]
        some = [watcher for _, watcher in await asyncio.gather(*made)]
        await asyncio.gather(*(watcher.opened for watcher in some))
        watchers += some
    print("open", flush=True)
    seen = await asyncio.gather(*(watcher.ended for watcher in watchers))
    late.sort()
    p95_s, p99_s = (late[int(share * len(late))] for share in (0.95, 0.99))
    return {"lost": sum(events - each for each in seen), "p95_s": p95_s, "p99_s": p99_s}


if __name__ == "__main__":
    port, path, count, events = sys.argv[1:]
    print(json.dumps(asyncio.run(_watch(int(port), path, int(count), int(events)))), flush=True)
