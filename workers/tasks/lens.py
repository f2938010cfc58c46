"""Lens: say what each layer of a model would guess at some positions, and answer whoever asked."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.lens import NONE, LensReading, read_lens, unembedding
from modelcore.analysis.stream import Stream
from modelcore.analysis.tuned_lens import TunedLens
from modelcore.analysis.tuned_lens_file import open_tuned_lens
from modelcore.checkpoints.class_names import read_class_names
from modelcore.checkpoints.digest import digest_of
from workers import app as celery_app
from workers.app import app
from workers.protocol import frame, jobs, lenses
from workers.protocol.events import Lens
from workers.protocol.jobs import LensJob
from workers.runtime.answering import answer_always
from workers.runtime.engine import Resident
from workers.runtime.process import Process, current
from workers.runtime.tracing import stream_of

log = logging.getLogger(__name__)


@app.task(name=jobs.LENS)
def lens(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    request = LensJob.from_json(job)
    answer_always(request, process, lambda portion: make_lens(request, process, portion))


def make_lens(request: LensJob, process: Process, portion: Portion = USUAL) -> bytes:
    resident, _ = process.engine.model(request.trace.source)
    unembedding(resident.model)
    translators = _tuned_lens(resident, request) if request.tuned else None
    stream = _stream(request, process, resident)
    found = read_lens(resident.model, stream, range(*request.positions), request.top, translators, portion)
    event = Lens(
        sequence=stream.sequence,
        positions=list(request.positions),
        guesses=found.guessed,
        tuned=request.tuned,
        texts=_texts(found, resident),
    )
    arrays = {
        "ids": found.ids,
        "probabilities": found.probabilities,
        "truth": found.truth,
        "truth_probabilities": found.truth_probabilities,
        "truth_ranks": found.truth_ranks,
    }
    return frame.encode(event, {name: np.ascontiguousarray(array.numpy()) for name, array in arrays.items()})


def _tuned_lens(resident: Resident, request: LensJob) -> TunedLens:
    """Raises: RequestError."""
    place = lenses.place(celery_app.DATA, request.trace.source.model)
    return open_tuned_lens(place, digest_of(resident.checkpoint.path))


def _stream(request: LensJob, process: Process, resident: Resident) -> Stream:
    """As kept, or made again by running the model."""
    run = request.trace.run
    kept = process.streams.open(run)
    if kept is not None:
        return kept
    stream = stream_of(request.trace, resident)
    try:
        process.streams.keep(run, stream)
    except OSError as error:
        log.warning("run %s: its stream could not be kept, the lens will run the model again: %s", run, error)
    return stream


def _texts(found: LensReading, resident: Resident) -> dict[str, str]:
    ids = sorted({*found.ids.unique().tolist(), *found.truth.unique().tolist()} - {NONE})
    if found.guessed == "class":
        names = read_class_names(resident.checkpoint.path)
        return {str(id_): names.get(id_, f"#{id_}") for id_ in ids}
    tokenizer = resident.checkpoint.tokenizer
    return {str(id_): tokenizer.readable(id_) if tokenizer else f"#{id_}" for id_ in ids}
