"""Compare: tell how far each head changed between two runs, and answer whoever asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.difference import HeadChanges, SharedKeys, head_changes
from modelcore.analysis.partners import Partners
from workers.app import app
from workers.protocol import frame, jobs
from workers.protocol.comparison_events import Comparison
from workers.protocol.jobs import CompareJob
from workers.runtime.answering import answer_always, maps_of
from workers.runtime.comparing import partners_of, sequences_of
from workers.runtime.process import Process, current


@app.task(name=jobs.COMPARE)
def compare(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = CompareJob.from_json(job)
    answer_always(request, process, lambda portion: make_comparison(request, process, portion))


def make_comparison(request: CompareJob, process: Process, portion: Portion = USUAL) -> bytes:
    maps_a, maps_b = (maps_of(trace, process, portion) for trace in (request.trace, request.other))
    partners = {name: partners_of(both) for name, both in request.sequences.items()}
    changes, rows_shared = [], []
    for site in request.sites:
        a, b = maps_a[site], maps_b[site]
        rows, keys = sequences_of(a.site)
        both = request.sequences[keys]
        special_a, special_b = (_special(told, map_.keys) for told, map_ in ((both.special_a, a), (both.special_b, b)))
        shared = SharedKeys.of(a, b, partners[keys], special_a, special_b)
        changes.append(head_changes(a, b, partners[rows], shared, request.most_weights, portion))
        rows_shared.append(len(partners[rows].pairs))
    event = Comparison(
        sites=request.sites,
        heads=[maps_a[site].heads for site in request.sites],
        rows_read=[change.rows_read for change in changes],
        rows_shared=rows_shared,
        implementation=maps_a[request.sites[0]].implementation,
    )
    return frame.encode(event, {**_arrays(changes), **_pairs(partners)})


def _special(told: list[bool], keys: int) -> torch.Tensor:
    return torch.tensor(told[:keys], dtype=torch.bool)


def _arrays(changes: list[HeadChanges]) -> dict[str, npt.NDArray[Any]]:
    named = {
        "row": "row_HS",
        "row_distance": "distance_HS",
        "key_a": "key_a_HS",
        "weight_a": "weight_a_HS",
        "key_b": "key_b_HS",
        "weight_b": "weight_b_HS",
    }
    most = max(change.row_HS.shape[1] for change in changes)
    arrays = {"distance": np.concatenate([change.distance_H for change in changes])}
    for name, attribute in named.items():
        padded = [_widened(getattr(change, attribute), most) for change in changes]
        arrays[name] = np.ascontiguousarray(np.concatenate(padded))
    return arrays


def _widened(values_HS: npt.NDArray[Any], most: int) -> npt.NDArray[Any]:
    """Sites with fewer rows get places without a row, -1."""
    return np.pad(values_HS, ((0, 0), (0, most - values_HS.shape[1])), constant_values=-1)


def _pairs(partners: dict[str, Partners]) -> dict[str, npt.NDArray[np.int32]]:
    return {
        f"{name}_pairs": np.array(partners[name].pairs if name in partners else [], np.int32).reshape(-1, 2)
        for name in ("encoder", "decoder")
    }
