"""A worker's pulse: every two seconds it says that it lives, which runs it is on and which models it has.

The recorder renews those runs' leases. A key that expires is a worker that is gone. Whatever whoever routes must know
at once, a run that began or a model that came, is told at once.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis

from workers.protocol import keys
from workers.protocol.fleet import Gauges, Pace, Standing
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
        *,
        about: dict[str, Any] | None = None,
        sizes_bytes: Callable[[], dict[str, int]] = dict,
        gauges: Callable[[], Gauges] | None = None,
        pace: Pace | None = None,
        obey: Callable[[Standing], None] = lambda standing: None,
    ) -> None:
        """`models` tells the states of this worker's models, by id: ready or loading; `machine` what a plan's
        estimate asks of one that trains; `about` what does not change while it lives. `obey` is told what is wanted of
        this worker whenever that changes.
        """
        self.name = name
        self.leaving = threading.Event()
        """Set when this worker was told to end: who works in long steps hands back between two."""
        self._server = server
        self._models, self._sizes_bytes, self._gauges, self._obey = models, sizes_bytes, gauges, obey
        self._pace = pace or Pace()
        self._about = {
            "name": name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "device": device,
            "implementation": implementation,
            "queues": list(queues),
            "started_at": time.time(),
            **(about or {}),
            **({"machine": machine} if machine else {}),
        }
        self._running: dict[str, int] = {}
        self._busy_since: float | None = None
        self._told: dict[str, Any] = {}
        self._standing = Standing()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_stopped, name="heartbeat", daemon=True)

    def start(self) -> None:
        self._look()
        self.beat()
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
        began, loading_s = time.monotonic(), self._pace.loading_s
        self._running[run] = attempt
        self._busy_since = began
        self.beat()
        try:
            yield
        finally:
            self._pace.ran(time.monotonic() - began - (self._pace.loading_s - loading_s))
            self._running.pop(run, None)
            self._busy_since = None
            self.beat()

    def look_now(self) -> None:
        """Asks what is wanted of this worker, and tells what came of it."""
        self._look()
        self.beat()

    def beat(self) -> None:
        """Tells the pulse now. For any thread."""
        busy_since = self._busy_since
        pulse = {
            **self._about,
            "running": [{"run": run, "attempt": attempt} for run, attempt in [*self._running.items()]],
            "busy_s": None if busy_since is None else time.monotonic() - busy_since,
            "models": self._models(),
            "sizes_bytes": self._sizes_bytes(),
            "standing": self._standing.to_json(),
            "leaving": self.leaving.is_set(),
            "run_s": self._pace.run_s,
            "load_bytes_per_s": self._pace.load_bytes_per_s,
            "done": self._pace.done,
            **self._told,
        }
        try:
            with self._lock:
                if not self._stop.is_set():
                    self._server.set(keys.worker(self.name), json.dumps(pulse), ex=keys.HEARTBEAT_TTL_S)
        except redis.RedisError as error:
            log.warning("the heartbeat does not reach Redis: %s", error)

    def _beat_until_stopped(self) -> None:
        while not self._stop.wait(keys.HEARTBEAT_EVERY_S):
            try:
                self._look()
                if self._gauges is not None:
                    self._told = {"gauges": self._gauges().to_json()}
            except Exception:
                # Whatever a driver says to this, the worker lives.
                log.exception("a gauge could not be read")
            self.beat()

    def _look(self) -> None:
        try:
            told = self._server.get(keys.standing(self.name))
        except redis.RedisError:
            return
        standing = Standing.from_json(json.loads(told)) if isinstance(told, bytes) else self._standing
        if standing != self._standing:
            self._obey(standing)
            self._standing = standing
