"""Influence: recompute a rectangle of another reading of a map, and answer whoever asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.influence.flow import read_flow
from modelcore.analysis.influence.gradient import Target
from modelcore.analysis.influence.rollout import layers_up_to, read_rollout
from modelcore.analysis.influence.weighted import Factor, moved, speaking, weighted_pool, weighted_tile
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.events import Influence
from workers.protocol.jobs import InfluenceJob
from workers.runtime.answering import answer_always, map_of, maps_of
from workers.runtime.influence import gradients_of, values_of
from workers.runtime.process import Process, current


@app.task(name=jobs.INFLUENCE)
def influence(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = InfluenceJob.from_json(job)
    answer_always(request, process, lambda portion: make_influence(request, process, portion))


def make_influence(request: InfluenceJob, process: Process, portion: Portion = USUAL) -> bytes:
    target, logit = Target(), None
    if request.reading in ("rollout", "flow"):
        values, implementation = _through_layers(request, process, portion)
    elif request.reading == "value":
        factor = moved(values_of(request.trace, process)[request.site].norms_HK, request.head)
        values, implementation = _of_one_head(request, process, factor, portion)
    else:
        gradients = gradients_of(request.trace, Target(request.position, request.token), process)
        v_GKD = values_of(request.trace, process)[request.site].v_GKD
        target, logit = gradients.target, gradients.logit
        factor = speaking(gradients.d_out[request.site], v_GKD, request.head)
        values, implementation = _of_one_head(request, process, factor, portion)
    event = Influence(
        site=request.site,
        head=request.head,
        reading=request.reading,
        rows=list(request.rows),
        cols=list(request.cols),
        cell=request.cell,
        rule="exact" if request.cell == 1 else "max",
        position=target.position,
        token=target.token,
        logit=logit,
        implementation=implementation,
    )
    return frame.encode(event, {"values": np.ascontiguousarray(values.float().cpu().numpy())})


def _of_one_head(request: InfluenceJob, process: Process, factor: Factor, portion: Portion) -> tuple[Tensor, str]:
    map_, rows, cols = map_of(request, process, portion), range(*request.rows), range(*request.cols)
    if request.cell == 1:
        return weighted_tile(map_, request.head, factor, rows, cols), map_.implementation
    return weighted_pool(map_, request.head, factor, request.cell, rows, cols, portion), map_.implementation


def _through_layers(request: InfluenceJob, process: Process, portion: Portion) -> tuple[Tensor, str]:
    """Cut from whole rows, the last of which are remembered: a map's tiles lie side by side in the same ones."""
    layers = layers_up_to(maps_of(request.trace, process, portion), request.site)
    rows, cols = range(*request.rows), range(*request.cols)

    def read() -> Tensor:
        if request.reading == "flow":
            return read_flow(layers, rows.start)[None]
        return read_rollout(layers, rows, portion)

    key = (request.trace.run, request.site, request.reading, rows)
    values = process.rows.get(key, read)[:, cols.start : cols.stop]
    if request.cell > 1:
        values = F.max_pool2d(values[None, None], request.cell, ceil_mode=True)[0, 0]
    return values, layers[-1].implementation
