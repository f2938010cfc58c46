"""The life of one running Headlight, from the first program to the last."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence

from webapp.supervise.console import Console
from webapp.supervise.group import Group, Patience
from webapp.supervise.program import Program

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def live(programs: Sequence[Program], console: Console, patience: Patience | None = None) -> int:
    """Starts the programs in order, keeps them until a signal or a failure, then ends them all.

    Returns the exit code.
    """
    group = Group(console, patience)
    loop = asyncio.get_running_loop()
    for each in STOP_SIGNALS:
        loop.add_signal_handler(each, _on_signal, group)
    starting = group.watched(_start(group, programs))
    code = await group.ended
    starting.cancel()
    await group.stop()
    return code


def _on_signal(group: Group) -> None:
    if group.ended.done():
        group.kill()
        return
    group.console.say("Ending every process …")
    group.end(0)


async def _start(group: Group, programs: Sequence[Program]) -> None:
    for program in programs:
        if not await group.start(program):
            return
        if program.welcome:
            group.console.say(program.welcome)
