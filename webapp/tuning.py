"""The training of a model's tuned lens, as the site begins, follows and stops it.

Redis alone knows of a training: one that is lost can be begun again, and what it made lies in the data folder.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

import redis
from django.conf import settings

from webapp import dispatch
from workers.protocol import keys, lenses
from workers.protocol.jobs import Source, TuneJob


@dataclass(frozen=True)
class LensState:
    """What the last training told, `none` where there was none lately; and what is known of the lens there is."""

    told: dict[str, Any]
    about: dict[str, Any] | None


@cache
def _server() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=2)


def begin(source: Source, *, text: str | None, ids: list[int] | None) -> bool:
    """False where one of this model is under way. Raises: WorkersAwayError where the broker cannot be reached."""
    token = secrets.token_hex(8)
    model = source.model
    try:
        if not _server().set(keys.lens_training(model), token, nx=True, ex=keys.LENS_TTL_S):
            return False
        _server().set(keys.lens_told(model), json.dumps({"state": "waiting"}), ex=keys.LENS_TTL_S)
    except redis.RedisError:
        raise dispatch.WorkersAwayError from None
    if not dispatch.send_tuning(TuneJob(source=source, token=token, text=text, ids=ids)):
        stop(model)
        raise dispatch.WorkersAwayError
    return True


def stop(model: str) -> bool:
    """False where none is under way. The worker that is on it hears of it at its next step.

    Raises: WorkersAwayError where Redis cannot be reached.
    """
    try:
        if not _server().delete(keys.lens_training(model)):
            return False
        _server().set(keys.lens_told(model), json.dumps({"state": "cancelled"}), ex=keys.LENS_TTL_S)
    except redis.RedisError:
        raise dispatch.WorkersAwayError from None
    return True


def state(model: str) -> LensState:
    """Reads Redis and the lens's file."""
    about = lenses.about(settings.DATA, model)
    try:
        told = cast("bytes | None", _server().get(keys.lens_told(model)))
    except redis.RedisError:
        told = None
    return LensState({"state": "none"} if told is None else json.loads(told), about)
