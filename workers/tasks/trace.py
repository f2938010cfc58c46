"""Trace: read a text, and send what every head does while later layers still compute."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import torch

from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.picture import PictureRead
from modelcore.analysis.trace import ClassesScored, NextTokens, RequestError, SiteTraced, TokensRead
from modelcore.checkpoints.class_names import read_class_names
from modelcore.checkpoints.reader import CheckpointError
from modelcore.generation.error import GenerationError
from workers.app import DATA, app
from workers.protocol import jobs
from workers.protocol.events import Failed, Finished, Started
from workers.protocol.jobs import TraceJob
from workers.runtime import encoding
from workers.runtime.feed import Feed, SupersededError
from workers.runtime.process import Process, current
from workers.runtime.tracing import traced

log = logging.getLogger(__name__)


@app.task(name=jobs.TRACE)
def trace(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    run_trace(TraceJob.from_json(job), process)


def run_trace(job: TraceJob, process: Process) -> None:
    run_attempt(job, process, lambda feed: _publish_trace(job, process, feed))


def run_attempt(job: TraceJob, process: Process, publish: Callable[[Feed], list[AttentionMap]]) -> None:
    """Take the attempt, run it, and end it with exactly one last event; keep the maps that `publish` returns."""
    feed = Feed.take(process.server, DATA, job.run, job.attempt)
    if feed is None:
        log.info("run %s: attempt %d was already taken, or the run has ended", job.run, job.attempt)
        return
    with feed, process.heartbeat.working(job.run, job.attempt):
        try:
            maps = publish(feed)
        except SupersededError as void:
            log.info("%s", void)
            return
        except (RequestError, GenerationError) as refused:
            feed.publish(Failed(code=refused.code, message=refused.message))
            return
        except CheckpointError as refused:
            feed.publish(Failed(code="checkpoint_refused", message=str(refused)))
            return
        except (MemoryError, torch.OutOfMemoryError):
            log.exception("run %s", job.run)
            feed.publish(
                Failed(
                    code="out_of_memory",
                    message="The worker has too little memory for this run. Try a shorter text or a smaller model.",
                )
            )
            return
        except Exception:
            log.exception("run %s", job.run)
            feed.publish(
                Failed(
                    code="internal",
                    message=f"The worker failed on this run. Its log says why, under run {job.run}.",
                )
            )
            return
        try:
            process.captures.keep(job.run, maps)
        except OSError as error:
            log.warning("run %s: its capture could not be kept, tiles will trace again: %s", job.run, error)


def _publish_trace(job: TraceJob, process: Process, feed: Feed) -> list[AttentionMap]:
    """Publish everything from `started` to `finished`; returns the maps for the captures."""
    began = time.perf_counter()
    queued_s = max(0.0, time.time() - job.submitted_at)
    feed.publish(started(job, process))
    resident, load_s = process.engine.model(job.source)
    maps: list[AttentionMap] = []
    for yielded in traced(job, resident):
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
