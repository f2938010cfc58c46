"""Load: have a model in memory before anybody asks for it, because somebody ordered so."""

from __future__ import annotations

from typing import Any

from modelcore.checkpoints.error import CheckpointError
from workers.app import app
from workers.protocol import jobs
from workers.protocol.jobs import Source
from workers.runtime.engine import DoesNotFitError
from workers.runtime.orders import tell_obeyed
from workers.runtime.process import Process, current


@app.task(name=jobs.LOAD)
def load(job: dict[str, Any]) -> None:
    """Celery's entry. It is a task, because one thread alone asks the engine for models."""
    run_load(Source(model=job["model"], path=job["path"]), int(job["order"]), current())


def run_load(source: Source, order: int, process: Process) -> None:
    try:
        process.engine.model(source)
        words = "done"
    except CheckpointError as refused:
        words = str(refused)
    except DoesNotFitError as large:
        words = f"It needs {large.needed:,} bytes of memory, and {large.allowed:,} are free."
    tell_obeyed(process.server, process.heartbeat.name, order, words)
