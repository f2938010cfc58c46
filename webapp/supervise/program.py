"""A program that the supervisor keeps, and one running child of it."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

LAST_LINES = 8
LONGEST_LINE_BYTES = 64 * 1024
PR_SET_PDEATHSIG = 1
"""Source: prctl(2)."""
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Program:
    """What to run and how to treat it."""

    name: str
    command: Sequence[str]
    remedy: str
    """What a person can do when it keeps ending."""
    needed: bool = True
    """Nothing works without it: when it keeps ending, everything ends. Otherwise the rest stays up."""
    keeps_trying: bool = False
    """Once it has been ready it is started again for ever, `needed` or not: nobody sits before such a site."""
    stop_rank: int = 0
    """Lower ranks are ended first, and are gone before the next rank is asked."""
    grace_s: float = 1.0
    """How long it may take to end by itself before it is killed."""
    ready: Callable[[], Awaitable[bool]] | None = None
    """Asked until true before the next program starts."""
    welcome: str = ""
    """Said once, when it is ready for the first time."""
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    descriptors: Sequence[int] = ()
    """Open file descriptors that it inherits."""
    unsaid: str | None = None
    """Lines with these words are left out of the stream: they would frighten and ask for nothing."""


class Child(asyncio.SubprocessProtocol):
    """One process, leader of a session of its own, so that Ctrl-C reaches the supervisor alone and
    a whole group can be killed at once."""

    def __init__(self, program: Program, on_line: Callable[[str, str], None]) -> None:
        self.program = program
        self.last_lines: deque[str] = deque(maxlen=LAST_LINES)
        self.exited = asyncio.Event()
        self._silent = asyncio.Event()
        self._on_line = on_line
        self._partial = b""
        self._transport: asyncio.SubprocessTransport | None = None

    @classmethod
    async def start(cls, program: Program, on_line: Callable[[str, str], None]) -> Child:
        """Raises: OSError if the command cannot be run."""
        supervisor = os.getpid()

        def die_with_supervisor() -> None:
            # Linux only. Elsewhere a supervisor that was killed leaves its children to the person.
            assert _libc is not None
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != supervisor:
                os._exit(1)  # It died between fork and prctl.

        _, child = await asyncio.get_running_loop().subprocess_exec(
            lambda: cls(program, on_line),
            *program.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=dict(program.environment),
            pass_fds=tuple(program.descriptors),
            start_new_session=True,
            preexec_fn=die_with_supervisor if _libc else None,
        )
        return child

    @property
    def pid(self) -> int:
        assert self._transport is not None
        return self._transport.get_pid()

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        assert self._transport is not None
        code = self._transport.get_returncode()
        if code is None:
            return "still running"
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"

    async def stop(self) -> None:
        """Asks, waits for the program's grace, then kills the whole group, what the process left too."""
        if not self.exited.is_set():
            assert self._transport is not None
            self._transport.terminate()
            await _within(self.exited, self.program.grace_s)
        self.kill()
        await _within(self.exited, 1.0)
        await self.drain()

    def kill(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # Nobody of the group is left (macOS says it by EPERM).

    async def drain(self) -> None:
        """Waits for the last words of a process that ended, briefly: a grandchild may hold the pipe open."""
        await _within(self._silent, 0.3)
        if self._partial:
            self._emit(self._partial)
            self._partial = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._partial = (self._partial + data).split(b"\n")
        if len(self._partial) > LONGEST_LINE_BYTES:
            lines.append(self._partial)
            self._partial = b""
        for line in lines:
            self._emit(line)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._silent.set()

    def process_exited(self) -> None:
        self.exited.set()

    def _emit(self, line: bytes) -> None:
        text = line.decode("utf-8", errors="replace").rstrip()
        if self.program.unsaid and self.program.unsaid in text:
            return
        self.last_lines.append(text)
        self._on_line(self.program.name, text)


async def _within(event: asyncio.Event, timeout_s: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        pass
