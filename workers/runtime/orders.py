"""What people ask of this worker from the site: to take nothing new, to let a model go or have one, to start afresh.

A standing is a wish that stays; it is read with each heartbeat and told back in it. An order is done once, and answered
on the lifecycle stream, where the recorder writes it down.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import redis

from workers.protocol import jobs, keys
from workers.protocol.fleet import Order, Standing
from workers.protocol.jobs import Source
from workers.runtime.engine import Engine

log = logging.getLogger(__name__)

WAIT_S = 5


class Taps(Protocol):
    """What lets jobs into this process."""

    def open(self, queues: Sequence[str]) -> None: ...
    def close(self, queues: Sequence[str]) -> None: ...
    def hand_to_myself(self, task: str, job: dict[str, str]) -> None: ...


class Obedience:
    """Does what is asked. `look` is the heartbeat's, asked when the standing has changed just now."""

    def __init__(self, server: redis.Redis, name: str, engine: Engine, taps: Taps, queues: Sequence[str]) -> None:
        self.look: Callable[[], None] = lambda: None
        self._server, self._name, self._engine, self._taps = server, name, engine, taps
        self._queues = queues
        self._open = True
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="orders", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()

    def stand(self, standing: Standing) -> None:
        """Follows a standing; may be told the same twice."""
        self._engine.pinned = standing.pinned
        wanted_open = standing.wanted == "working"
        if wanted_open != self._open:
            self._open = wanted_open
            (self._taps.open if wanted_open else self._taps.close)(self._queues)
            log.info("%s is %s", self._name, standing.wanted)
        if standing.wanted == "stopped":
            self._engine.evict()

    def obey(self, order: Order) -> None:
        match order.action:
            case "look":
                self.look()
                return
            case "evict":
                gone = self._engine.evict(order.model)
                self._answer(order, "done" if gone else "It was not resident.")
            case "load":
                source = Source(model=order.model, path=order.path)
                self._taps.hand_to_myself(jobs.LOAD, {**source.__dict__, "order": str(order.order)})
            case "restart":
                self._answer(order, "done")
                # A warm end: a short run is ended first, a training handed back between two steps. Whoever keeps this
                # process starts it again.
                os.kill(os.getpid(), signal.SIGTERM)

    def _answer(self, order: Order, words: str) -> None:
        tell_obeyed(self._server, self._name, order.order, words)

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                popped = cast(
                    "tuple[bytes, bytes] | None", self._server.blpop([keys.worker_orders(self._name)], timeout=WAIT_S)
                )
            except redis.RedisError:
                self._stop.wait(WAIT_S)
                continue
            if popped is None:
                continue
            try:
                self.obey(Order.from_json(json.loads(popped[1])))
            except Exception:
                log.exception("an order could not be followed")


def tell_obeyed(server: redis.Redis, name: str, order: int, words: str) -> None:
    """Answers an order where the recorder reads. `run` is there for recorders that know of runs alone."""
    told = {"event": "obeyed", "run": "", "attempt": 0, "worker": name, "order": order, "answer": words}
    server.xadd(keys.LIFECYCLE, {"told": json.dumps(told)}, maxlen=keys.LIFECYCLE_LENGTH, approximate=True)
