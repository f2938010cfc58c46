"""The one door to Celery: hand a job to the workers, ask one for a reading of a run, see how much is waiting."""

from __future__ import annotations

import json
import logging
import secrets
from functools import cache
from typing import Any

import redis
from asgiref.sync import sync_to_async
from django.conf import settings
from kombu.exceptions import OperationalError

from webapp import stream
from workers.app import app
from workers.protocol import jobs, keys
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
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None, socket_connect_timeout=2)


def send(job: TraceJob | GenerateJob | TrainJob) -> bool:
    """Put a job on its queue. False where the broker is away: the recorder sends it when it is back."""
    if isinstance(job, TrainJob):
        return _send(jobs.TRAIN, job, jobs.TRAIN_QUEUE)
    return _send(jobs.GENERATE if isinstance(job, GenerateJob) else jobs.TRACE, job)


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
    """How many jobs wait for a worker of this queue. Raises: redis.RedisError where the broker is away."""
    return int(_server().llen(queue))


def broker_came_back_empty() -> bool:
    """Whether Redis has forgotten us since it was last asked: then every waiting job must be sent again."""
    return bool(_server().set(keys.EPOCH, secrets.token_hex(8), nx=True))


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
