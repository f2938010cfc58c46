"""What one Headlight takes of the machine: a data folder nobody else is using, some disk, a port."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"
"""Loopback only: what people of other machines may see is a proxy's business."""
DEFAULT_PORT = 8000
PORTS_TRIED = 100
LEAST_FREE_BYTES = 200 * 2**20


class Refused(Exception):
    """Headlight cannot start; the message says why and what to do."""


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def open_data_folder(folder: Path, free: Callable[[Path], int] = free_bytes) -> None:
    """Makes the folder where it is missing, readable by its owner alone, and sees that there is room.

    Raises: Refused.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = f"The data folder {folder} cannot be made: {error.strerror}."
        raise Refused(f"{why} Choose another with --data DIR.") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Refused(f"The data folder {folder} cannot be written. Choose another with --data DIR.")
    left = free(folder)
    if left < LEAST_FREE_BYTES:
        raise Refused(
            f"The disk is nearly full: {left / 2**20:.0f} MB are free for {folder}, "
            f"{LEAST_FREE_BYTES / 2**20:.0f} MB are needed. "
            "Make room, or choose a folder on another disk with --data DIR."
        )


class InstanceLock:
    """Held while Headlight runs on this data folder. The kernel lets go of it however the process ends."""

    def __init__(self, folder: Path) -> None:
        """Raises: Refused, naming the instance that holds it."""
        self._folder = folder
        self._file = open(folder / "instance.lock", "a+")  # noqa: SIM115  (open as long as the process)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.seek(0)
            who = self._file.read().strip() or "(still starting)"
            self._file.close()
            raise Refused(
                f"Headlight is already running {who}, data folder {folder}. "
                "Open that address, end it with Ctrl-C, or start another with --data DIR."
            ) from None
        self._write("")

    def announce(self, url: str) -> None:
        """Leaves word for a second start."""
        self._write(f"at {url} (pid {os.getpid()})")

    def release(self) -> None:
        self._write("")
        self._file.close()

    def _write(self, text: str) -> None:
        self._file.truncate(0)
        self._file.write(text)
        self._file.flush()


def listen(port: int | None) -> socket.socket:
    """The socket that the web process will serve, already listening.

    The supervisor holds it: while the web process is restarted, visitors wait instead of being turned away.
    `port` None takes the first free one from 8000 on.
    Raises: Refused.
    """
    wanted = [port] if port is not None else range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED)
    for each in wanted:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Its connections inherit this. uvicorn takes an inherited socket for a Unix one and leaves it out, and then the
        # second packet of an answer waits 40 ms for the first one's acknowledgement.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            listener.bind((HOST, each))
            listener.listen(512)
        except OSError as error:
            listener.close()
            if error.errno == errno.EADDRINUSE:
                continue
            why = f"Port {each} cannot be used: {error.strerror}."
            raise Refused(f"{why} Choose another with --port N.") from error
        return listener
    if port is None:
        raise Refused(f"Ports {wanted[0]} to {wanted[-1]} are all in use. Choose a free one with --port N.")
    holder = port_holder(port)
    raise Refused(
        f"Port {port} is in use{f' by {holder}' if holder else ''}. End that program, or choose another port "
        "with --port N; without --port the next free one is taken."
    )


def port_holder(port: int) -> str | None:
    """Who listens on the port, as far as Linux tells this user. Source: proc(5), /proc/net/tcp."""
    address_ends, listening = f":{port:04X}", "0A"
    try:
        tables = [Path("/proc/net", name).read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    except OSError:
        return None
    rows = [line.split() for table in tables for line in table]
    sockets = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(address_ends) and row[3] == listening}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in sockets for fd in (process / "fd").iterdir()):
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue  # Another user's, or gone meanwhile.
    return None
