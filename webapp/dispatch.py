"""The one door to Celery: hand a job to the workers, ask one for a reading of a run, see how much is waiting.

Jobs that run a model go to the queue of the worker that could begin them soonest (webapp.fleet.routing); readings to
whoever comes first. What waits for a worker that is gone or late is taken back from here.
"""

from __future__ import annotations

import base64
import json
import logging
import secrets
import time
from functools import cache
from typing import Any, NamedTuple, cast

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from kombu.exceptions import OperationalError

from webapp import stream
from webapp.fleet import routing
from webapp.fleet.routing import Place
from workers.app import app
from workers.protocol import jobs, keys
from workers.protocol.fleet import Order, Standing
from workers.protocol.frame import Frame, decode
from workers.protocol.influence import InfluenceReading
from workers.protocol.jobs import (
    CompareJob,
    DifferenceJob,
    FloorsJob,
    GenerateJob,
    InfluenceJob,
    LensJob,
    PairJob,
    ReadingJob,
    Sequences,
    TileJob,
    TotalsJob,
    TraceJob,
    TrainJob,
    TuneJob,
)

log = logging.getLogger(__name__)


class WorkersAwayError(Exception):
    """No worker answered in time, or the broker cannot be reached."""


@cache
def _server() -> redis.Redis:
    return stream.brief_client()


def send(job: TraceJob | GenerateJob | TrainJob, size_bytes: int = 0) -> bool:
    """Put a job on its queue. False where the broker is away: the recorder sends it when it is back.

    `size_bytes` are those of its model, by which is reckoned who can have it soonest.
    """
    if isinstance(job, TrainJob):
        return _send(jobs.TRAIN, job, jobs.TRAIN_QUEUE)
    source = job.trace.source if isinstance(job, GenerateJob) else job.source
    task = jobs.GENERATE if isinstance(job, GenerateJob) else jobs.TRACE
    return _send(task, job, _queue_for(source.model, size_bytes))


def order(run: str, order: dict[str, Any]) -> None:
    """Ask something of a training on its way. Raises: redis.RedisError where the broker is away."""
    with _server().pipeline(transaction=True) as pipe:
        pipe.rpush(keys.orders(run), json.dumps(order))
        pipe.expire(keys.orders(run), keys.ORDERS_TTL_S)
        pipe.execute()


def send_tuning(job: TuneJob) -> bool:
    """Put a training on the queue. False where the broker is away; nobody sends it again."""
    return _send(jobs.TUNE, job)


async def ask_tile(trace: TraceJob, site: str, head: int, rows: range, cols: range, cell: int) -> Frame:
    """Have a worker recompute a rectangle, and wait for it: a `tile` frame, or a `failed` one that says why not.

    Raises: WorkersAwayError after settings.TILE_WAIT_S.
    """
    job = TileJob(
        trace=trace,
        reply=_reply(),
        site=site,
        head=head,
        rows=(rows.start, rows.stop),
        cols=(cols.start, cols.stop),
        cell=cell,
    )
    return await _ask(jobs.TILE, job)


async def ask_pair(trace: TraceJob, site: str, head: int, row: int, col: int) -> Frame:
    """Have a worker take one weight apart: a `pair` frame, or a `failed` one. Raises: as ask_tile."""
    return await _ask(jobs.PAIR, PairJob(trace=trace, reply=_reply(), site=site, head=head, row=row, col=col))


async def ask_totals(trace: TraceJob, site: str, head: int, rows: range) -> Frame:
    """Have a worker sum rows up: a `totals` frame, or a `failed` one. Raises: as ask_tile."""
    span = (rows.start, rows.stop)
    return await _ask(jobs.TOTALS, TotalsJob(trace=trace, reply=_reply(), site=site, head=head, rows=span))


async def ask_floors(trace: TraceJob, site: str, head: int, rows: range, mass: float) -> Frame:
    """Have a worker find the floors of rows: a `floors` frame, or a `failed` one. Raises: as ask_tile."""
    span = (rows.start, rows.stop)
    job = FloorsJob(trace=trace, reply=_reply(), site=site, head=head, rows=span, mass=mass)
    return await _ask(jobs.FLOORS, job)


async def ask_influence(
    trace: TraceJob,
    site: str,
    head: int,
    reading: InfluenceReading,
    rows: range,
    cols: range,
    cell: int,
    position: int | None,
    token: int | None,
) -> Frame:
    """Have a worker recompute a rectangle of another reading: an `influence` frame, or a `failed` one. Raises: as
    ask_tile.
    """
    job = InfluenceJob(
        trace=trace,
        reply=_reply(),
        site=site,
        head=head,
        reading=reading,
        rows=(rows.start, rows.stop),
        cols=(cols.start, cols.stop),
        cell=cell,
        position=position,
        token=token,
    )
    return await _ask(jobs.INFLUENCE, job)


async def ask_comparison(
    trace: TraceJob, other: TraceJob, sequences: dict[str, Sequences], sites: list[str], most_weights: int
) -> Frame:
    """Have a worker compare two runs: a `comparison` frame, or a `failed` one. Raises: as ask_tile."""
    job = CompareJob(
        trace=trace, reply=_reply(), other=other, sequences=sequences, sites=sites, most_weights=most_weights
    )
    return await _ask(jobs.COMPARE, job)


async def ask_difference(
    trace: TraceJob,
    other: TraceJob,
    sequences: dict[str, Sequences],
    site: str,
    head: int,
    rows: range,
    cols: range,
    cell: int,
) -> Frame:
    """Have a worker take a map from another: a `difference` frame, or a `failed` one. Raises: as ask_tile."""
    job = DifferenceJob(
        trace=trace,
        reply=_reply(),
        site=site,
        head=head,
        other=other,
        sequences=sequences,
        rows=(rows.start, rows.stop),
        cols=(cols.start, cols.stop),
        cell=cell,
    )
    return await _ask(jobs.DIFFERENCE, job)


async def ask_lens(trace: TraceJob, positions: range, top: int, tuned: bool) -> Frame:
    """Have a worker say what each layer would guess: a `lens` frame, or a `failed` one. Raises: as ask_tile."""
    span = (positions.start, positions.stop)
    return await _ask(jobs.LENS, LensJob(trace=trace, reply=_reply(), positions=span, top=top, tuned=tuned))


def queue_length(queue: str) -> int:
    """How many jobs wait for a worker of this queue, or for one in particular. Raises: redis.RedisError where the
    broker is away.
    """
    return sum(_lengths(_lists(queue)).values())


def withdraw(queue: str) -> list[str]:
    """Take back what waits in the broker for a queue's workers: the runs whose jobs nobody holds now.

    Readings stay, as somebody waits for their answer. Raises: redis.RedisError.
    """
    server, taken = _server(), []
    for name in _lists(queue):
        for message in cast("list[bytes]", server.lrange(name, 0, -1)):
            run = _told(message).run
            # One that a worker took meanwhile is not there any more, and is its.
            if run and server.lrem(name, 1, message.decode()):
                taken.append(run)
    return taken


def take_back_from(worker: str) -> int:
    """Give to whoever comes first what waits for a worker that takes nothing. Raises: redis.RedisError."""
    server, moved = _server(), 0
    # Newest first onto the end that is taken from, so that the oldest is the next.
    while server.lmove(keys.direct(worker), jobs.QUEUE, "LEFT", "RIGHT"):
        moved += 1
    return moved


def balance() -> int:
    """Take back from workers that are gone or rest, and let one that is idle take from one that is late.

    Returns how many jobs moved. Raises: redis.RedisError.
    """
    beats = stream.workers(jobs.QUEUE)
    candidates = _places(beats)
    here = {place.name for place in candidates}
    prefix = keys.direct("")
    held = [name.decode().removeprefix(prefix) for name in _server().scan_iter(keys.DIRECT, count=1000)]
    moved = sum(take_back_from(worker) for worker in held if worker not in here)
    waiting = [place.name for place in candidates if place.waiting]
    oldest = {name: cast("bytes | None", _server().lindex(keys.direct(name), -1)) for name in waiting}
    asked = {name: _told(message).model for name, message in oldest.items() if message}
    stolen = routing.steal(candidates, asked)
    if stolen:
        taker, late = stolen
        if _server().lmove(keys.direct(late.name), keys.direct(taker.name), "RIGHT", "LEFT"):
            _promise(taker.name, asked.get(late.name, ""))
            moved += 1
    return moved


def command(worker: str, standing: Standing | None = None, order: Order | None = None) -> None:
    """Tell a worker what is wanted of it from now on, and what to do once. Raises: redis.RedisError."""
    with _server().pipeline(transaction=True) as pipe:
        if standing is not None:
            pipe.set(keys.standing(worker), json.dumps(standing.to_json()))
        pipe.rpush(keys.worker_orders(worker), json.dumps((order or Order("look")).to_json()))
        pipe.expire(keys.worker_orders(worker), keys.HEARTBEAT_TTL_S)
        pipe.execute()


def keep_standing(worker: str, standing: Standing) -> None:
    """Say again what is wanted of a worker, where the broker forgot it. Raises: redis.RedisError."""
    _server().set(keys.standing(worker), json.dumps(standing.to_json()))


def broker_came_back_empty() -> bool:
    """Whether Redis has forgotten us since it was last asked: then every waiting job must be sent again."""
    return bool(_server().set(keys.EPOCH, secrets.token_hex(8), nx=True))


class _Told(NamedTuple):
    """What a message in the broker is about; empty where it is about no run, or names no model."""

    run: str
    model: str


def _told(message: bytes) -> _Told:
    """Reads a message as Celery left it. Source: Celery's message protocol 2: a body of [args, kwargs, embed]."""
    try:
        envelope = json.loads(message)
        job = json.loads(base64.b64decode(envelope["body"]))[0][0]
    except (ValueError, LookupError, TypeError):
        return _Told("", "")
    trace = job.get("trace") or job
    is_run = envelope.get("headers", {}).get("task") in (jobs.TRACE, jobs.GENERATE, jobs.TRAIN)
    return _Told(trace.get("run", "") if is_run else "", (trace.get("source") or {}).get("model", ""))


def _queue_for(model: str, size_bytes: int) -> str:
    """The worker's own queue where one takes jobs; else that of whoever comes first."""
    if settings.ROUTING == "shared":
        return jobs.QUEUE
    try:
        chosen = routing.choose(model, size_bytes, _places(stream.workers(jobs.QUEUE)))
        if chosen is None:
            return jobs.QUEUE
        _promise(chosen.name, model)
    except redis.RedisError:
        return jobs.QUEUE
    return keys.direct(chosen.name)


def _places(beats: list[dict[str, Any]]) -> list[Place]:
    names = [beat["name"] for beat in beats]
    lengths = _lengths([keys.direct(name) for name in names])
    since = time.time() - keys.PROMISED_S
    with _server().pipeline(transaction=False) as pipe:
        for name in names:
            pipe.hgetall(keys.promised(name))
        told = pipe.execute() if names else []
    promised = {
        name: {model.decode() for model, at in models.items() if float(at) > since}
        for name, models in zip(names, told, strict=True)
    }
    return routing.places(beats, {name: lengths[keys.direct(name)] for name in names}, promised)


def _promise(worker: str, model: str) -> None:
    with _server().pipeline(transaction=False) as pipe:
        pipe.hset(keys.promised(worker), model, str(time.time()))
        pipe.expire(keys.promised(worker), keys.PROMISED_S)
        pipe.execute()


def _lists(queue: str) -> list[str]:
    """The queue itself and, of the interactive one, those of single workers. Looks through the broker's keys."""
    if queue != jobs.QUEUE:
        return [queue]
    return [queue, *(name.decode() for name in _server().scan_iter(keys.DIRECT, count=1000))]


def _lengths(names: list[str]) -> dict[str, int]:
    with _server().pipeline(transaction=False) as pipe:
        for name in names:
            pipe.llen(name)
        return dict(zip(names, pipe.execute() if names else [], strict=True))


def _reply() -> str:
    """A name that nobody else waits under."""
    return secrets.token_hex(16)


async def _ask(task: str, job: ReadingJob) -> Frame:
    if not await sync_to_async(_send, thread_sensitive=False)(task, job):
        raise WorkersAwayError
    reply = await stream.reply(job.reply, settings.TILE_WAIT_S)
    if reply is None:
        raise WorkersAwayError
    return decode(reply)


def _send(task: str, job: TraceJob | GenerateJob | ReadingJob | TrainJob | TuneJob, queue: str = jobs.QUEUE) -> bool:
    try:
        app.send_task(task, args=[job.to_json()], queue=queue, retry=False)
    except (OperationalError, redis.RedisError, OSError) as error:
        log.warning("the broker is away, %s waits in the database: %s", task, error)
        return False
    return True
