"""This worker process: its device, its engine, its captures and its pulse, made once when Celery starts it."""

from __future__ import annotations

import platform
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from celery.signals import worker_ready, worker_shutdown, worker_shutting_down

from kernels import dispatch
from workers import app as celery_app
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE
from workers.runtime.captures import Captures
from workers.runtime.choices import compute_dtype, resident_bytes
from workers.runtime.engine import Engine
from workers.runtime.feed import Server, client
from workers.runtime.gauges import Meter
from workers.runtime.heartbeat import Heartbeat
from workers.runtime.machine import describe_machine
from workers.runtime.orders import Obedience
from workers.runtime.rows_kept import RowsKept
from workers.runtime.streams import Streams
from workers.runtime.taps import CeleryTaps, consumed


@dataclass(frozen=True)
class Process:
    server: Server
    engine: Engine
    captures: Captures
    streams: Streams
    heartbeat: Heartbeat
    implementation: str
    rows: RowsKept = field(default_factory=RowsKept)
    obedience: Obedience | None = None


@cache
def this_process(name: str = "worker", queues: tuple[str, ...] = (QUEUE,)) -> Process:
    """Made on first use and kept. Reads which device and which kernels this machine has.

    `queues` are all that this process takes jobs from, one of its own included.

    Raises: ValueError in a sentence where a setting cannot be read.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    implementation = dispatch.chosen(torch.device(device)).implementation
    server = client(celery_app.REDIS_URL)
    engine = Engine(device, resident_bytes(celery_app.MODEL_BYTES, device), compute_dtype(celery_app.DTYPE, device))
    machine = describe_machine(device, celery_app.DATA) if TRAIN_QUEUE in queues else None
    obedience = Obedience(server, name, engine, CeleryTaps(name), queues)
    heartbeat = Heartbeat(
        server,
        name,
        device,
        implementation,
        engine.states,
        [queue for queue in queues if queue in (QUEUE, TRAIN_QUEUE)],
        machine,
        about={
            "device_name": torch.cuda.get_device_name(0) if device == "cuda" else platform.processor() or "CPU",
            "dtype": str(engine.dtype).removeprefix("torch."),
            "limit_bytes": engine.limit_bytes,
            "versions": versions(),
        },
        sizes_bytes=engine.sizes_bytes,
        gauges=Meter(device, celery_app.DATA).read,
        pace=engine.pace,
        obey=obedience.stand,
    )
    obedience.look = heartbeat.look_now
    engine.changed = heartbeat.beat
    return Process(
        server=server,
        engine=engine,
        captures=Captures(celery_app.DATA / "captures"),
        streams=Streams(celery_app.DATA / "streams"),
        heartbeat=heartbeat,
        implementation=implementation,
        obedience=obedience,
    )


def versions() -> dict[str, str]:
    """What a person who compares two machines asks first."""
    told = {"python": platform.python_version(), "torch": torch.__version__}
    if torch.version.cuda:
        told["cuda"] = torch.version.cuda
    try:
        told["triton"] = version("triton")
    except PackageNotFoundError:
        pass
    return told


_started: list[Process] = []


def current() -> Process:
    """The process as Celery started it, or a plain one where a task is called without Celery."""
    return _started[0] if _started else this_process()


@worker_ready.connect
def _start(sender: Any, **_: Any) -> None:
    process = this_process(sender.hostname, consumed())
    _started.append(process)
    process.heartbeat.start()
    if process.obedience is not None:
        process.obedience.start()


@worker_shutting_down.connect
def _leave(**_: Any) -> None:
    for process in _started:
        process.heartbeat.leaving.set()


@worker_shutdown.connect
def _stop(**_: Any) -> None:
    for process in _started:
        if process.obedience is not None:
            process.obedience.stop()
        process.heartbeat.stop()
