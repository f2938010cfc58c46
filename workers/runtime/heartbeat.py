"""A worker's pulse: every two seconds it says that it lives, which runs it is on and which models it has.

The recorder renews those runs' leases. A key that expires is a worker that is gone.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from workers.protocol import keys
from workers.protocol.jobs import QUEUE

log = logging.getLogger(__name__)


class Heartbeat:
    """Beats in a thread of its own, so that a long forward pass does not look like a death."""

    def __init__(
        self,
        server: redis.Redis,
        name: str,
        device: str,
        implementation: str,
        models: Callable[[], dict[str, str]] = dict,
        queues: Sequence[str] = (QUEUE,),
        machine: dict[str, Any] | None = None,
    ) -> None:
        """`models` tells the states of this worker's models, by id: ready or loading; `machine` what a plan's
        estimate asks of one that trains.
        """
        self.name = name
        self._server = server
        self._models = models
        self._about = {
            "name": name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "device": device,
            "implementation": implementation,
            "queues": list(queues),
            **({"machine": machine} if machine else {}),
        }
        self._running: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_stopped, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._beat()
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        try:
            self._server.delete(keys.worker(self.name))
        except redis.RedisError:
            pass  # It expires by itself.

    @contextmanager
    def working(self, run: str, attempt: int) -> Iterator[None]:
        """While inside, this worker answers for the attempt."""
        self._running[run] = attempt
        try:
            yield
        finally:
            self._running.pop(run, None)

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(keys.HEARTBEAT_EVERY_S):
            self._beat()

    def _beat(self) -> None:
        pulse = {
            **self._about,
            "running": [{"run": run, "attempt": attempt} for run, attempt in [*self._running.items()]],
            "models": self._models(),
        }
        try:
            self._server.set(keys.worker(self.name), json.dumps(pulse), ex=keys.HEARTBEAT_TTL_S)
        except redis.RedisError as error:
            log.warning("the heartbeat does not reach Redis: %s", error)
