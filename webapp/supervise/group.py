"""Programs kept together: started one by one, restarted when they end, ended in order."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.supervise.console import Console
from webapp.supervise.program import Child, Program

ASK_FIRST_S, ASK_LESS, ASK_EVERY_S = 0.05, 1.2, 0.5
"""The first question whether a program is ready; how the pause grows; its end."""
SLOW_START_S = 20.0


@dataclass(frozen=True)
class Patience:
    """How long to wait before each restart, and when restarting is no longer the answer."""

    pauses_s: Sequence[float] = (0.2, 0.5, 1.0, 2.0)
    """Before the first, second … restart; one more death within `window_s` is one too many."""
    window_s: float = 60.0
    rest_s: float = 60.0
    """Before a program that is not needed is tried again."""
    longest_s: float = 10.0
    """Before each further start of one that keeps trying."""

    @property
    def deaths(self) -> int:
        return len(self.pauses_s) + 1


class Group:
    """Once it is `ended` (with the exit code), nothing is started any more; `stop` then ends what runs."""

    def __init__(self, console: Console, patience: Patience | None = None) -> None:
        self.console = console
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._patience = patience or Patience()
        self._children: dict[str, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._was_ready: set[str] = set()

    def end(self, code: int) -> None:
        """The first code given is the one that counts."""
        if not self.ended.done():
            self.ended.set_result(code)

    def kill(self) -> None:
        """Ends everything without asking: for the person who presses Ctrl-C a second time."""
        for child in self._children.values():
            child.kill()

    async def start(self, program: Program) -> bool:
        """Starts and keeps it; true when it is ready, false when the group ended first."""
        self._keepers.append(self.watched(self._keep(program)))
        since, pause_s, warned = time.monotonic(), ASK_FIRST_S, False
        while program.ready and not self.ended.done():
            if await program.ready():
                break
            if not warned and time.monotonic() - since > SLOW_START_S:
                warned = True
                self.console.say(f"{program.name} has not answered for {SLOW_START_S:.0f} s; still waiting.")
            await self._pause(pause_s)
            pause_s = min(pause_s * ASK_LESS, ASK_EVERY_S)
        if self.ended.done():
            return False
        self._was_ready.add(program.name)
        return True

    def watched(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """The work as a task whose failure ends the group, instead of passing unseen."""
        task = asyncio.create_task(work)
        task.add_done_callback(self._on_over)
        return task

    def _on_over(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            self.console.say(f"The supervisor failed: {error!r}")
            self.end(1)

    async def stop(self) -> None:
        """Ends rank after rank. Takes at most the sum of the ranks' longest graces, and a little."""
        await asyncio.gather(*self._keepers, return_exceptions=True)
        children = self._children.values()
        for rank in sorted({child.program.stop_rank for child in children}):
            await asyncio.gather(*(child.stop() for child in children if child.program.stop_rank == rank))

    async def _keep(self, program: Program) -> None:
        deaths: deque[float] = deque(maxlen=self._patience.deaths)
        while not self.ended.done():
            try:
                child = await Child.start(program, self.console.line)
            except OSError as error:
                self.console.say(f"{program.name} cannot be started: {error}. {program.remedy}")
                self.end(1)
                return
            self._children[program.name] = child
            await self._until_ended(child.exited)
            if self.ended.done():
                return
            child.kill()  # What it left behind would hold its sockets and files.
            await child.drain()
            del self._children[program.name]
            deaths.append(time.monotonic())
            await self._after_death(program, child, deaths)

    async def _after_death(self, program: Program, child: Child, deaths: deque[float]) -> None:
        patience = self._patience
        recent = sum(1 for moment in deaths if moment > time.monotonic() - patience.window_s)
        if recent < patience.deaths:
            pause_s = patience.pauses_s[recent - 1]
            self.console.say(f"{program.name} ended ({child.ending}); it starts again in {pause_s:g} s.")
            await self._pause(pause_s)
            return
        self.console.say(
            f"{program.name} keeps ending: {recent} times in {patience.window_s:.0f} s, now {child.ending}."
        )
        for line in child.last_lines:
            self.console.say(f"    {line}")
        self.console.say(program.remedy)
        if program.keeps_trying and program.name in self._was_ready:
            self.console.say(f"It has worked before: {program.name} is tried again every {patience.longest_s:g} s.")
            await self._pause(patience.longest_s)
            return
        if program.needed:
            self.console.say("Nothing works without it, so everything ends now.")
            self.end(1)
            return
        self.console.say(f"The rest stays up; {program.name} is tried again in {patience.rest_s:.0f} s.")
        deaths.clear()
        await self._pause(patience.rest_s)

    async def _pause(self, seconds: float) -> None:
        """Sleeps, less long if the group ends."""
        await asyncio.wait({self.ended}, timeout=seconds)

    async def _until_ended(self, event: asyncio.Event) -> None:
        waiting = asyncio.create_task(event.wait())
        either: set[asyncio.Future[Any]] = {waiting, self.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
