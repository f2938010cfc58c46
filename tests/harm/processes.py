"""The processes of a site that is harmed: found, killed, waited for."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import psutil
import redis

from tests import waiting
from tests.running import RunningSite
from workers.protocol import keys


def processes(site: RunningSite, words: str) -> list[psutil.Process]:
    """Those that the supervisor started itself."""
    found = []
    for child in psutil.Process(site.process.pid).children():
        with suppress(psutil.Error):
            if words in " ".join(child.cmdline()):
                found.append(child)
    return found


def kill(site: RunningSite, words: str) -> None:
    for process in processes(site, words):
        process.kill()


def until(true: Callable[[], Any], timeout_s: float = 90.0) -> float:
    """While what was harmed may be away."""
    return waiting.until(true, timeout_s, passing=(httpx.TransportError, psutil.Error, redis.RedisError))


def running_on(site: RunningSite, broker: redis.Redis, run: str) -> psutil.Process:
    """The process of the worker that is on a run, when one is."""
    found: list[int] = []

    def look() -> bool:
        for name in broker.scan_iter(keys.WORKERS):
            beat = json.loads(broker.get(name) or "{}")
            # The last beat of one that was killed stays for a while.
            if run in [each["run"] for each in beat.get("running", [])] and psutil.pid_exists(beat["pid"]):
                found.append(beat["pid"])
        return bool(found)

    until(look)
    return psutil.Process(found[0])
