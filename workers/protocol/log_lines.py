"""A log record as one line of JSON, the same from web, recorder and workers, with the run that it is about.

{"at": "2026-03-01T12:00:00.123+00:00", "level": "INFO", "logger": "…", "message": "…", "run": "…", "error": "…"}
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_run: ContextVar[str] = ContextVar("run", default="")


@contextmanager
def about_run(run: str) -> Iterator[None]:
    """Lines that are written inside, by this thread or task, are about this run."""
    token = _run.set(run)
    try:
        yield
    finally:
        _run.reset(token)


class JsonLines(logging.Formatter):
    """`part` is which program writes."""

    def __init__(self, part: str = "web") -> None:
        super().__init__()
        self._part = part

    def format(self, record: logging.LogRecord) -> str:
        run = getattr(record, "run", "") or _run.get()
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "part": self._part,
            "logger": record.name,
            "message": record.getMessage(),
            **({"run": run} if run else {}),
            **getattr(record, "told", {}),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)
