"""Trace: read a text, and send what every head does while later layers still compute."""

from __future__ import annotations

import time
from typing import Any

from modelcore.analysis.chunks import Portion
from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.picture import PictureRead
from modelcore.analysis.trace import ClassesScored, NextTokens, SiteTraced, TokensRead
from modelcore.checkpoints.class_names import read_class_names
from workers.app import app
from workers.protocol import jobs
from workers.protocol.events import Finished, Started
from workers.protocol.jobs import TraceJob
from workers.runtime import encoding
from workers.runtime.attempts import run_attempt
from workers.runtime.feed import Feed
from workers.runtime.process import Process, current
from workers.runtime.tracing import traced


@app.task(name=jobs.TRACE)
def trace(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    run_trace(TraceJob.from_json(job), process)


def run_trace(job: TraceJob, process: Process) -> None:
    run_attempt(job, process, lambda feed, portion: _publish_trace(job, process, feed, portion))


def _publish_trace(job: TraceJob, process: Process, feed: Feed, portion: Portion) -> list[AttentionMap]:
    """Publish everything from `started` to `finished`; returns the maps for the captures."""
    began = time.perf_counter()
    queued_s = max(0.0, time.time() - job.submitted_at)
    feed.publish(started(job, process))
    resident, load_s = process.engine.model(job.source)
    maps: list[AttentionMap] = []
    for yielded in traced(job, resident, portion):
        match yielded:
            case PictureRead():
                feed.publish(*encoding.picture(yielded))
            case TokensRead():
                feed.publish(*encoding.tokens(yielded))
            case SiteTraced():
                feed.publish(*encoding.site(yielded))
                maps.append(yielded.map)
            case NextTokens():
                feed.publish(*encoding.probabilities(yielded, resident.checkpoint.tokenizer))
            case ClassesScored():
                feed.publish(*encoding.classes(yielded, read_class_names(resident.checkpoint.path)))
    timings = {"queued_s": queued_s, "load_s": load_s, "trace_s": time.perf_counter() - began - load_s}
    feed.publish(finished(maps, timings))
    return maps


def started(job: TraceJob, process: Process) -> Started:
    return Started(
        run=job.run,
        attempt=job.attempt,
        model=job.source.model,
        worker=process.heartbeat.name,
        device=process.engine.device,
        dtype=str(process.engine.dtype).removeprefix("torch."),
        implementation=process.implementation,
    )


def finished(maps: list[AttentionMap], timings: dict[str, float]) -> Finished:
    ran = ", ".join(dict.fromkeys(attention.implementation for attention in maps))
    return Finished(implementation=ran, timings=timings)
