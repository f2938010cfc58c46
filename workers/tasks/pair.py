"""Pair: take one weight of a map apart, and answer whoever asked."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.pair import read_pair
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.events import Pair
from workers.protocol.jobs import PairJob
from workers.runtime.answering import answer_always, map_of
from workers.runtime.process import Process, current


@app.task(name=jobs.PAIR)
def pair(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = PairJob.from_json(job)
    answer_always(request, process, lambda portion: make_pair(request, process, portion))


def make_pair(request: PairJob, process: Process, portion: Portion = USUAL) -> bytes:
    found = read_pair(map_of(request, process, portion), request.head, request.row, request.col)
    event = Pair(
        site=request.site,
        head=request.head,
        row=found.row,
        col=found.col,
        rule=found.rule,
        turned=found.turned,
        product=found.product,
        relative=found.relative,
        scale=found.scale,
        scaled=found.scaled,
        softcap=found.softcap,
        capped=found.capped,
        biases=found.biases,
        hidden_by=found.hidden_by,
        score=_or_null(found.score),
        log_sum_exp=_or_null(found.log_sum_exp),
        factor=found.factor,
        weight=found.weight,
        sink=found.sink if found.sink is None else _or_null(found.sink),
        seen=found.seen,
        largest_score=_or_null(found.largest_score),
        implementation=found.implementation,
    )
    arrays = {
        "query": _array(found.query_D),
        "key": _array(found.key_D),
        "products": _array(found.products_D),
        "strongest_keys": np.array([key for key, _ in found.strongest], np.int32),
        "strongest_weights": np.array([weight for _, weight in found.strongest], np.float32),
    }
    return frame.encode(event, arrays)


def _or_null(nats: float) -> float | None:
    """Minus infinity is what is hidden, and no number of JSON."""
    return nats if math.isfinite(nats) else None


def _array(values_D: Tensor) -> np.ndarray[Any, Any]:
    return np.ascontiguousarray(values_D.float().cpu().numpy())
