"""What is done when a device's memory is full: it is freed, and the work is tried once more in smaller portions."""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable, Collection
from typing import TypeVar

import torch

from modelcore.analysis.chunks import SMALLER, USUAL, Portion
from workers.protocol.jobs import Source
from workers.runtime.engine import Engine

log = logging.getLogger(__name__)

Made = TypeVar("Made")


class MemoryFullError(MemoryError):
    """The device's memory was too small for smaller portions too; it is free again."""


def twice_if_full(make: Callable[[Portion], Made], engine: Engine, in_use: Collection[Source]) -> Made:
    """What `make` gives, which is called again where the device's memory was too small for the usual portion.

    Between the two calls, and after the second, all goes that nobody needs: what the first held, the cache, the models
    that are not `in_use`. The host's own MemoryError is not tried again: there the system would end the process.
    Raises: MemoryFullError; whatever else `make` raises.
    """
    try:
        return make(USUAL)
    except torch.OutOfMemoryError as full:
        said = str(full)  # Whoever keeps what is logged must not keep the exception.
        log.warning("the device's memory is full, trying once more in smaller portions: %s", said)
    # Out here, because an exception that is being handled holds its frames, and they hold their tensors.
    _free(engine, in_use)
    try:
        return make(SMALLER)
    except torch.OutOfMemoryError as full:
        said = str(full)
    _free(engine, in_use)
    raise MemoryFullError(said)


def _free(engine: Engine, in_use: Collection[Source]) -> None:
    # A suspended generator may hold itself by a cycle, and with it a layer's tensors.
    gc.collect()
    engine.let_go_of_idle(in_use)
