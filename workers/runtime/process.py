"""This worker process: its device, its engine, its captures and its pulse, made once when Celery starts it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
from celery.signals import worker_ready, worker_shutdown

from kernels import dispatch
from workers import app as celery_app
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE
from workers.runtime.captures import Captures
from workers.runtime.engine import Engine
from workers.runtime.feed import Server, client
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.machine import describe_machine
from workers.runtime.rows_kept import RowsKept
from workers.runtime.streams import Streams


@dataclass(frozen=True)
class Process:
    server: Server
    engine: Engine
    captures: Captures
    streams: Streams
    heartbeat: Heartbeat
    implementation: str
    rows: RowsKept = field(default_factory=RowsKept)


@cache
def this_process(name: str = "worker", queues: tuple[str, ...] = (QUEUE,)) -> Process:
    """Made on first use and kept. Reads which device and which kernels this machine has."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    implementation = dispatch.chosen(torch.device(device)).implementation
    server = client(celery_app.REDIS_URL)
    engine = Engine(device)
    machine = describe_machine(device, celery_app.DATA) if TRAIN_QUEUE in queues else None
    return Process(
        server=server,
        engine=engine,
        captures=Captures(celery_app.DATA / "captures"),
        streams=Streams(celery_app.DATA / "streams"),
        heartbeat=Heartbeat(server, name, device, implementation, engine.states, queues, machine),
        implementation=implementation,
    )


_started: list[Process] = []


def current() -> Process:
    """The process as Celery started it, or a plain one where a task is called without Celery."""
    return _started[0] if _started else this_process()


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    _started.append(this_process(sender.hostname, tuple(sender.app.amqp.queues.consume_from)))
    _started[0].heartbeat.start()


@worker_shutdown.connect
def _stop(**_: Any) -> None:
    for process in _started:
        process.heartbeat.stop()
