"""Starts everything that one machine's Headlight is made of, and ends it all together: `./run` ends here."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from io import StringIO
from typing import Any

from django import db
from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from django.db import connections

from webapp.supervise import broker, instance, roster
from webapp.supervise.console import Console
from webapp.supervise.program import Program
from webapp.supervise.site import live


class Command(BaseCommand):
    help = "Start broker, web, recorder, librarian and workers as one group. The data folder is HEADLIGHT_DATA."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=_port, help="port on 127.0.0.1 (default: 8000 or the next free)")
        parser.add_argument(
            "--workers",
            type=_count,
            default=max(1, roster.gpus()),
            help="interactive workers (default: one a GPU, or 1)",
        )
        parser.add_argument("--trainers", type=_count, default=1, help="workers that train models (default: 1)")

    def handle(self, *args: Any, port: int | None, workers: int, trainers: int, **options: Any) -> None:
        always = ("broker", "web", "recorder", "librarian")
        names = [*always, *_numbered("worker", workers), *_numbered("trainer", trainers)]
        console = Console(sys.stdout, names)
        try:
            code = _run(console, port, workers, trainers)
        except instance.Refused as refusal:
            console.say(str(refusal))
            code = 1
        except KeyboardInterrupt:
            code = 0  # Before the first process was started.
        console.close()
        # The console's thread may be held by its terminal for ever, and nothing is left to do.
        os._exit(code)


def _run(console: Console, port: int | None, workers: int, trainers: int) -> int:
    """Raises: instance.Refused."""
    instance.open_data_folder(settings.DATA)
    lock = instance.InstanceLock(settings.DATA)
    with instance.listen(port) as listener:
        taken = listener.getsockname()[1]
        if port is None and taken != instance.DEFAULT_PORT:
            console.say(f"Port {instance.DEFAULT_PORT} is in use; Headlight takes {taken}.")
        lock.announce(f"http://{instance.HOST}:{taken}")
        _prepare_database(console)
        code = asyncio.run(live(_programs(taken, listener.fileno(), workers, trainers), console))
    lock.release()
    console.say("Every process has ended.")
    return code


def _programs(port: int, descriptor: int, workers: int, trainers: int) -> list[Program]:
    socket = None if os.environ.get("REDIS_URL") else broker.socket_path(settings.DATA)
    environment = roster.environment(settings.DATA, socket)
    return [
        *([roster.broker_program(socket)] if socket else []),
        roster.web(port, descriptor, environment),
        roster.recorder(environment),
        roster.librarian(environment),
        *(roster.worker(n + 1, port, environment) for n in range(workers)),
        *(roster.trainer(n + 1, environment) for n in range(trainers)),
    ]


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}{n + 1}" for n in range(count)]


def _prepare_database(console: Console) -> None:
    """Tables and the models that come with Headlight. The first time, that means reading the models.

    Raises: instance.Refused.
    """
    told = StringIO()
    try:
        call_command("migrate", verbosity=0)
        call_command("register_zoo", verbosity=0, stdout=told)
        console.say(told.getvalue())
    except (db.Error, CommandError, OSError) as error:
        raise instance.Refused(f"The database could not be prepared: {error}") from error
    finally:
        connections.close_all()


def _port(text: str) -> int:
    if not text.isdigit() or not 0 < int(text) < 65536:
        raise ArgumentTypeError(f"{text!r} is not a port; give a number from 1 to 65535")
    return int(text)


def _count(text: str) -> int:
    if not text.isdigit() or int(text) > 64:
        raise ArgumentTypeError(f"{text!r} is not a number of workers; give 0 to 64")
    return int(text)
