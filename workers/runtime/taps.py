"""What lets jobs into a worker: its queues, opened and closed while it runs, and one of its own.

A worker takes the next job when it has ended the last, not before: one that lay in its memory could be given to
nobody else. Celery looks for the next only when its loop turns, once a second where nothing happens, so the end of
each job turns it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import redis
from celery import bootsteps
from celery.signals import celeryd_after_setup, task_postrun

from workers import app as celery_app
from workers.app import app
from workers.protocol import keys
from workers.protocol.fleet import Standing
from workers.protocol.jobs import QUEUE

MOMENT_S = 0.002


class CeleryTaps:
    """The queues of this process, by Celery's own remote control: it changes them where its loop allows it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def open(self, queues: Sequence[str]) -> None:
        for queue in queues:
            app.control.add_consumer(queue, destination=[self._name])

    def close(self, queues: Sequence[str]) -> None:
        for queue in queues:
            app.control.cancel_consumer(queue, destination=[self._name])

    def hand_to_myself(self, task: str, job: dict[str, str]) -> None:
        app.send_task(task, args=[job], queue=keys.direct(self._name), retry=False)


class Turn(bootsteps.StartStopStep):
    """Turns the worker's loop when a job has ended, so that it looks for the next at once."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    _hub: Any = None

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)

    def start(self, consumer: Any) -> None:
        Turn._hub = consumer.hub

    @staticmethod
    def turn() -> None:
        """For the thread that ran the job."""
        if Turn._hub is not None:
            # The job counts as held for a moment still after it has told of its end.
            Turn._hub.call_soon(Turn._hub.call_later, MOMENT_S, _nothing)


def _nothing() -> None:
    """What a turn of the loop is asked for, so that it comes to look for messages."""


app.steps["consumer"].add(Turn)

_consumed: list[str] = []


def consumed() -> tuple[str, ...]:
    """The queues that this process was started for, its own included, whether they are open or not."""
    return tuple(_consumed)


@celeryd_after_setup.connect
def _set_up(sender: str, instance: Any, **_: Any) -> None:
    """Gives an interactive worker a queue of its own; one that is to rest does not begin by taking a job."""
    queues = instance.app.amqp.queues
    if QUEUE in queues.consume_from:
        queues.select_add(keys.direct(sender))
    _consumed[:] = list(queues.consume_from)
    if standing_of(sender).wanted != "working":
        queues.deselect(_consumed)


@task_postrun.connect
def _ended(**_: Any) -> None:
    Turn.turn()


def standing_of(name: str) -> Standing:
    """What is wanted of a worker; to work, where nothing is said or Redis is away."""
    server = redis.Redis.from_url(celery_app.REDIS_URL, socket_timeout=5, socket_connect_timeout=5)
    try:
        told = server.get(keys.standing(name))
    except redis.RedisError:
        return Standing()
    finally:
        server.close()
    return Standing.from_json(json.loads(told)) if isinstance(told, bytes) else Standing()
