"""Programs kept together: their order, their lines, their deaths."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from typing import Any

import pytest

from webapp.supervise.console import Console
from webapp.supervise.group import Group, Patience
from webapp.supervise.program import Program

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


class Stage:
    """A group whose stream can be read."""

    def __init__(self, patience: Patience) -> None:
        self._out = io.StringIO()
        self.console = Console(self._out, ["broker", "web", "worker1"])
        self.group = Group(self.console, patience)

    @property
    def said(self) -> list[str]:
        return self._out.getvalue().splitlines()

    async def until_said(self, words: str, times: int = 1) -> None:
        until = time.monotonic() + 10
        while sum(words in line for line in self.said) < times:
            assert time.monotonic() < until, f"{words!r} was not said {times} times: {self.said}"
            await asyncio.sleep(0.01)

    async def over(self, code: int = 0) -> None:
        self.group.end(code)
        await self.group.stop()
        self.console.close()


@pytest.fixture
async def stage() -> Any:
    made = Stage(Patience(pauses_s=(0.01, 0.02, 0.03, 0.04), rest_s=0.2, longest_s=0.1))
    yield made
    await made.over()


def program(name: str, script: str, **fields: Any) -> Program:
    return Program(name=name, command=[sys.executable, "-c", script], remedy="Mend it so.", **fields)


async def test_next_program_starts_when_the_one_before_is_ready(stage: Stage) -> None:
    asked = 0

    async def third_time() -> bool:
        nonlocal asked
        asked += 1
        return asked == 3

    assert await stage.group.start(program("broker", SLEEP, ready=third_time))
    assert asked == 3


async def test_each_line_stands_behind_its_programs_name(stage: Stage) -> None:
    script = "import sys; print('out'); sys.stdout.flush(); print('err', file=sys.stderr); print('no newline', end='')"
    await stage.group.start(program("web", script))
    await stage.until_said("no newline")
    assert stage.said[:3] == ["web       | out", "web       | err", "web       | no newline"]


async def test_a_line_cannot_steer_the_terminal(stage: Stage) -> None:
    await stage.group.start(program("web", r"print('\033[2Jcleared\rhidden\tok')"))
    await stage.until_said("cleared")
    assert stage.said[0] == "web       | [2Jclearedhidden\tok"


async def test_half_a_line_waits_for_its_other_half(stage: Stage) -> None:
    script = "import time; print('one ', end='', flush=True); time.sleep(.2); print('line'); time.sleep(60)"
    await stage.group.start(program("web", script))
    await stage.until_said("one line")


async def test_flood_of_output_does_not_stop_the_program(stage: Stage) -> None:
    await stage.group.start(program("web", "print('x' * 3_000_000); print('after the flood')"))
    await stage.until_said("after the flood")


async def test_program_that_ended_starts_again(stage: Stage) -> None:
    await stage.group.start(program("web", "print('here'); raise SystemExit(3)"))
    await stage.until_said("here", times=2)
    assert "headlight | web ended (exit code 3); it starts again in 0.01 s." in stage.said


async def test_needed_program_that_keeps_ending_ends_everything(stage: Stage) -> None:
    await stage.group.start(program("web", "print('the reason'); raise SystemExit(1)"))
    assert await asyncio.wait_for(stage.group.ended, 10) == 1
    await stage.over()
    assert sum(line == "web       | the reason" for line in stage.said) == 5
    assert stage.said[-3:] == [
        "headlight |     the reason",
        "headlight | Mend it so.",
        "headlight | Nothing works without it, so everything ends now.",
    ]


async def test_worker_that_keeps_ending_leaves_the_rest_up_and_is_tried_again(stage: Stage) -> None:
    await stage.group.start(program("web", SLEEP))
    await stage.group.start(program("worker1", "print('no'); raise SystemExit(1)", needed=False))
    await stage.until_said("The rest stays up; worker1 is tried again")
    assert not stage.group.ended.done()
    await stage.until_said("worker1   | no", times=6)


async def test_needed_program_that_was_ready_and_keeps_trying_is_started_for_ever_and_the_rest_stays_up(
    stage: Stage,
) -> None:
    """A site of many whose database was killed for ten seconds gave up, and nobody was there to start it again."""
    await stage.group.start(program("web", SLEEP))
    await stage.group.start(program("broker", "print('no'); raise SystemExit(1)", keeps_trying=True))
    await stage.until_said("It has worked before: broker is tried again every 0.1 s.", times=4)
    assert not stage.group.ended.done()
    assert sum(line == "broker    | no" for line in stage.said) >= 8


async def test_program_that_keeps_trying_and_never_was_ready_ends_everything(stage: Stage) -> None:
    """A person sits before a site that never came up, and must be told."""

    async def never() -> bool:
        return False

    broken = program("broker", "print('bad setting'); raise SystemExit(1)", keeps_trying=True, ready=never)
    assert not await stage.group.start(broken)
    assert await stage.group.ended == 1


async def test_command_that_does_not_exist_is_named(stage: Stage) -> None:
    missing = Program(name="web", command=["/nowhere/server"], remedy="Install it.")
    await stage.group.start(missing)
    assert await asyncio.wait_for(stage.group.ended, 10) == 1
    await stage.until_said("web cannot be started: [Errno 2] No such file or directory: '/nowhere/server'. Install it.")


async def test_ranks_end_one_after_another(stage: Stage) -> None:
    farewell = (
        "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(print('bye'))); print('up'); time.sleep(60)"
    )
    for name, rank in (("broker", 2), ("worker1", 1), ("web", 0)):
        await stage.group.start(
            program(name, farewell.replace("print('up')", "print('up', flush=True)"), stop_rank=rank)
        )
    await stage.until_said("up", times=3)
    await stage.over()
    assert [line.split()[0] for line in stage.said if line.endswith("bye")] == ["web", "worker1", "broker"]


async def test_deaf_program_is_killed_after_its_grace(stage: Stage) -> None:
    await stage.group.start(program("worker1", DEAF, grace_s=0.3))
    await stage.until_said("deaf")
    since = time.monotonic()
    await stage.over()
    assert 0.3 <= time.monotonic() - since < 2


@pytest.mark.parametrize("isatty", [True, False])
def test_names_are_coloured_on_a_terminal_only(isatty: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = io.StringIO()
    monkeypatch.setattr(out, "isatty", lambda: isatty)
    console = Console(out, ["web"])
    console.line("web", "hello")
    console.close()
    assert ("\033[" in out.getvalue()) is isatty
