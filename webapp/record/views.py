"""Whether this site lives, and whether it can do work."""

from __future__ import annotations

import redis
from django import db
from django.db import connection
from django.http import HttpRequest, JsonResponse

from webapp import stream
from workers.protocol.jobs import QUEUE


def healthz(request: HttpRequest) -> JsonResponse:
    """200 while the web process answers."""
    return JsonResponse({"web": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """200 when database, broker and at least one interactive worker answer; else 503 that says which does not."""
    parts = {"database": "ok", "broker": "ok", "workers": "ok"}
    try:
        connection.ensure_connection()
    except db.Error:
        parts["database"] = "away"
    try:
        if not stream.workers(QUEUE):
            parts["workers"] = "none"
    except redis.RedisError:
        parts["broker"] = parts["workers"] = "away"
    ready = all(state == "ok" for state in parts.values())
    return JsonResponse(parts, status=200 if ready else 503)
