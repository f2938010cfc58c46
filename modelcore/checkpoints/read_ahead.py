"""Reading while what was read before is still being worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


def one_ahead(tasks: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """The results in order. Each task runs in a thread while the result before it is used, and never two ahead."""
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[Result] | None = None
        for task in tasks:
            running = thread.submit(task)
            if waiting is not None:
                yield waiting.result()
            waiting = running
        if waiting is not None:
            yield waiting.result()
