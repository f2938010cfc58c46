"""The programs of one machine: what each is started with, and how it is treated."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from webapp.supervise import broker
from webapp.supervise.instance import HOST
from webapp.supervise.program import Program

HOUSE = Path(__file__).resolve().parents[2]
DRIVER = Path("/proc/driver/nvidia/gpus")
"""A folder for each device, where the driver is loaded."""
WEB_SECRETS = ("DATABASE_URL", "HEADLIGHT_SECRET_KEY")
"""What a worker has no business with: it knows the broker and the data folder only."""


def broker_program(socket: Path) -> Program:
    return Program(
        name="broker",
        command=broker.command(socket),
        ready=lambda: broker.answers(socket),
        unsaid="Memory overcommit",  # Of interest to a server that saves to disk; ours does not.
        stop_rank=2,
        grace_s=0.5,
        remedy="Or use a Redis or Valkey of your own: REDIS_URL=redis://127.0.0.1:6379/0 ./run",
    )


def web(port: int, descriptor: int, environment: Mapping[str, str]) -> Program:
    return Program(
        name="web",
        # Compressing socket messages costs a factor of thirty on frames. A graceful end of 1 s leaves
        # the whole group inside its 5 s; viewers come back by seq.
        command=[
            *(sys.executable, "-m", "uvicorn", "webapp.asgi:application", "--fd", str(descriptor)),
            *("--ws", "webapp.serving:WebSocketProtocol"),
            *("--ws-per-message-deflate", "false", "--ws-max-size", str(2**20)),
            # Longer than clients keep an idle connection: else one may be closed while a request is on its way to it.
            *("--timeout-keep-alive", "30", "--timeout-graceful-shutdown", "1"),
            *("--log-level", "warning", "--no-access-log"),
        ],
        environment=environment,
        descriptors=[descriptor],
        ready=lambda: answers(port, "/healthz"),
        unsaid="Service Unavailable: /readyz",  # It is the supervisor that asks, until a worker is there.
        welcome=f"Headlight is at http://{HOST}:{port} (Ctrl-C ends it).",
        stop_rank=0,
        grace_s=1.5,
        remedy="Its last lines above say why. If you changed nothing, delete .venv and run ./run again.",
    )


def recorder(environment: Mapping[str, str]) -> Program:
    return Program(
        name="recorder",
        command=[sys.executable, str(HOUSE / "manage.py"), "record"],
        environment=environment,
        stop_rank=1,
        grace_s=1.5,
        remedy="Its last lines above say why. It needs the database and the broker.",
    )


def librarian(environment: Mapping[str, str]) -> Program:
    """Inspects what people bring; it gives way to those who wait for an answer."""
    return Program(
        name="librarian",
        command=["nice", "-n", "5", sys.executable, str(HOUSE / "manage.py"), "keep_library"],
        environment=environment,
        needed=False,
        stop_rank=1,
        grace_s=1.5,
        remedy="Its last lines above say why. What people bring waits for it; all else goes on.",
    )


def gpus() -> int:
    """How many devices NVIDIA's driver has here, of those that CUDA_VISIBLE_DEVICES leaves; 0 without it."""
    return len(_devices())


def _devices() -> list[str]:
    """Their names for CUDA_VISIBLE_DEVICES."""
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    if chosen is not None:
        return [name for name in chosen.split(",") if name.strip() and name.strip() != "-1"]
    found = DRIVER.glob("*") if DRIVER.is_dir() else ()
    return [str(number) for number, _ in enumerate(found)]


def _on_device(number: int, environment: Mapping[str, str]) -> dict[str, str]:
    """One device a worker, in turn, where there are several: each process sees its own alone, as the first."""
    devices = _devices()
    return {**environment, "CUDA_VISIBLE_DEVICES": devices[(number - 1) % len(devices)]} if devices else {**environment}


def worker(number: int, port: int, environment: Mapping[str, str]) -> Program:
    """Celery's own graceful end waits for the running job however long it is, so the grace is short:
    jobs are leased, and one that was cut runs again.

    The next worker starts when one answers: loading torch several times at once makes the first slow.
    """
    return Program(
        name=f"worker{number}",
        command=_celery("interactive", number),
        environment=_on_device(number, _for_workers(environment)),
        ready=lambda: answers(port, "/readyz"),
        welcome="The first worker is ready: runs start at once." if number == 1 else "",
        needed=False,
        stop_rank=1,
        grace_s=1.5,
        remedy="Its last lines above say why. Runs that are done can be read; new ones wait for a worker.",
    )


def trainer(number: int, environment: Mapping[str, str]) -> Program:
    """Trains models, and gives way to every other program while it does."""
    return Program(
        name=f"trainer{number}",
        command=["nice", "-n", "19", *_celery("train", number)],
        # All devices: a plan may ask for several processes, each on one of them.
        environment=_for_workers(environment),
        needed=False,
        stop_rank=1,
        grace_s=1.5,
        remedy="Its last lines above say why. Trainings wait for it, and go on from their last checkpoint.",
    )


def _celery(queue: str, number: int) -> list[str]:
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "workers.app", "worker"),
        *("--pool", "threads", "--concurrency", "1", "--queues", queue),
        *("--hostname", f"{queue}{number}@%h", "--without-gossip", "--without-mingle"),
        *("--loglevel", "INFO"),
    ]


def _for_workers(environment: Mapping[str, str]) -> dict[str, str]:
    return {
        **{name: value for name, value in environment.items() if name not in WEB_SECRETS},
        # Celery warns of pickled messages under root; ours are JSON.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser",
    }


def environment(data: Path, socket: Path | None) -> dict[str, str]:
    """What every program but the broker gets. `socket` is our broker's; None leaves REDIS_URL as it is."""
    own = {"REDIS_URL": f"unix://{socket}"} if socket else {}
    return {**os.environ, **own, "HEADLIGHT_DATA": str(data), "PYTHONUNBUFFERED": "1"}


async def answers(port: int, path: str) -> bool:
    """Whether GET `path` is answered by 200 on loopback."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
        status = await asyncio.wait_for(reader.readline(), 5.0)
        return status.split(b" ")[1:2] == [b"200"]
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
