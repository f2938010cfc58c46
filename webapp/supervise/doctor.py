"""Whether all that Headlight stands on is there and answers, and what to do about what does not."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import redis
from django import db
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from webapp.fleet.disk import is_low
from webapp.library.bucket import FAULTS, WHAT_TO_CHECK, bucket
from webapp.supervise import broker
from workers.protocol import keys
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE

State = Literal["ok", "warning", "broken"]

OLDEST_BROKER = (6, 2)
WAIT_S = 3.0


@dataclass(frozen=True)
class Finding:
    """`broken` stops people from working; a warning says what will, or what is missing for some."""

    part: str
    state: State
    words: str


def findings() -> Iterator[Finding]:
    """One after the other; each looks at one part, and none changes anything."""
    for look in (_database, _storage, _bucket, _browser_code):
        yield from look()
    server = _server()
    try:
        yield from _broker(server)
    except redis.RedisError as error:
        yield Finding("broker", "broken", f"{_where()} does not answer ({type(error).__name__}). {_how_to_start()}")
        return
    yield from _workers(server)


def _database() -> Iterator[Finding]:
    kind = settings.DATABASES["default"]["ENGINE"].rpartition(".")[2]
    try:
        connection.ensure_connection()
        executor = MigrationExecutor(connection)
        waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except db.Error as error:
        told = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        yield Finding("database", "broken", f"{kind} does not answer: {told}. Check DATABASE_URL, and that it runs.")
        return
    if waiting:
        words = f"{kind} answers, but {len(waiting)} of its migrations are not made yet: python manage.py migrate"
        yield Finding("database", "broken", words)
        return
    yield Finding("database", "ok", f"{kind} answers, and its tables are those of this version.")
    if kind == "sqlite3" and "REDIS_URL" in os.environ:
        yield Finding(
            "database", "warning", "SQLite serves one machine. Where workers or web run on several, set DATABASE_URL."
        )


def _storage() -> Iterator[Finding]:
    data: Path = settings.DATA
    try:
        with tempfile.NamedTemporaryFile(dir=data, prefix=".doctor."):
            pass
    except OSError as error:
        yield Finding("storage", "broken", f"Nothing can be written to {data}: {error.strerror}. Give it to this user.")
        return
    disk = shutil.disk_usage(data)
    free = f"{disk.free / 1e9:,.1f} of {disk.total / 1e9:,.1f} GB are free for {data}"
    if is_low(disk.free, disk.total):
        yield Finding("storage", "warning", f"Only {free}. Delete runs or models, or move HEADLIGHT_DATA.")
    else:
        yield Finding("storage", "ok", f"{free}.")
    mode = data.stat().st_mode & 0o077
    if mode:
        words = f"Others on this machine can enter {data}, where texts and models lie: chmod 700 {data}"
        yield Finding("storage", "warning", words)


def _bucket() -> Iterator[Finding]:
    """Of the store for the files of models, where one is set."""
    found = bucket()
    if found is None:
        return
    try:
        is_there = found.is_there()
    except FAULTS as error:
        yield Finding("storage", "broken", f"The bucket {found.name} cannot be reached: {error}. {WHAT_TO_CHECK}")
        return
    if is_there:
        yield Finding("storage", "ok", f"The bucket {found.name} answers.")
    else:
        yield Finding("storage", "broken", f"There is no bucket {found.name}: python manage.py make_bucket")


def _browser_code() -> Iterator[Finding]:
    if (settings.STATIC_ROOT / "manifest.json").is_file():
        yield Finding("browser code", "ok", "It is built.")
    else:
        yield Finding("browser code", "broken", "It is not built yet: ./run builds it, or npx vite build.")


def _broker(server: redis.Redis) -> Iterator[Finding]:
    about = server.info("server")
    version = str(about.get("valkey_version") or about["redis_version"])
    if tuple(map(int, version.split(".")[:2])) < OLDEST_BROKER:
        yield Finding("broker", "broken", f"{_where()} is version {version}; Redis 6.2 or newer, or Valkey, is needed.")
        return
    yield Finding("broker", "ok", f"{_where()} answers, version {version}.")
    memory = server.info("memory")
    limit, policy = int(memory.get("maxmemory", 0)), str(memory.get("maxmemory_policy", ""))
    if limit and policy.startswith("allkeys"):
        words = f"With maxmemory-policy {policy} it may throw jobs away. Set volatile-ttl: frames go, jobs stay."
        yield Finding("broker", "warning", words)
    if not limit:
        words = (
            "It has no maxmemory: many runs at once may fill the machine. Set one, with maxmemory-policy volatile-ttl."
        )
        yield Finding("broker", "warning", words)
    if not server.exists(keys.EPOCH):
        words = "No recorder has seen it yet: python manage.py record must run, once for the whole site."
        yield Finding("recorder", "warning", words)


def _workers(server: redis.Redis) -> Iterator[Finding]:
    names = list(server.scan_iter(keys.WORKERS, count=1000))
    beats = [json.loads(beat) for beat in cast("list[bytes | None]", server.mget(names)) if beat] if names else []
    for queue, missing, state in (
        (
            QUEUE,
            "Nobody answers texts: start a worker (./run --workers 1, or README.md, Running it for others).",
            "broken",
        ),
        (TRAIN_QUEUE, "Trainings wait: no worker trains (./run --trainers 1).", "warning"),
    ):
        there = [beat for beat in beats if queue in beat.get("queues", [QUEUE])]
        if not there:
            yield Finding("workers", cast(State, state), missing)
        for beat in there:
            words = f"{beat['name']}: {queue}, on {beat['device']}, kernels {beat['implementation']}."
            yield Finding("workers", "ok", words)
            if beat["device"] == "cuda" and "triton" not in beat["implementation"]:
                words = (
                    f"{beat['name']} has a GPU and does not use our kernels on it: pip install triton, and see its log."
                )
                yield Finding("kernels", "warning", words)


def _own_socket() -> Path | None:
    """Of the broker that ./run starts by itself."""
    return (
        None if os.environ.get("REDIS_URL") or os.environ.get("REDIS_URL_FILE") else broker.socket_path(settings.DATA)
    )


def _server() -> redis.Redis:
    socket = _own_socket()
    limits: dict[str, float] = {"socket_timeout": WAIT_S, "socket_connect_timeout": WAIT_S}
    open_: Callable[..., redis.Redis] = redis.Redis.from_url
    return open_(f"unix://{socket}" if socket else settings.REDIS_URL, **limits)


def _where() -> str:
    return "The broker that ./run starts" if _own_socket() else "The broker of REDIS_URL"


def _how_to_start() -> str:
    return "Start Headlight with ./run." if _own_socket() else "Start it, or correct REDIS_URL."
