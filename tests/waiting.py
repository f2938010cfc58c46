"""Waiting for what another process or thread brings about."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any


def until(true: Callable[[], Any], timeout_s: float = 60.0, passing: tuple[type[Exception], ...] = ()) -> float:
    """How many seconds it took. Errors of the kinds `passing` count as no."""
    began = time.monotonic()
    while True:
        with suppress(*passing):
            if true():
                return time.monotonic() - began
        assert time.monotonic() - began < timeout_s, f"not true within {timeout_s:g} s"
        time.sleep(0.05)
