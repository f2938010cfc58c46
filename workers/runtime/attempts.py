"""One attempt of one run: taken once, ended with exactly one last event, whatever happens on the way."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable

from modelcore.analysis.chunks import Portion
from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.request import RequestError
from modelcore.checkpoints.reader import CheckpointError
from modelcore.generation.error import GenerationError
from modelcore.training.parallel import GroupError
from modelcore.training.plan import PlanError
from modelcore.training.session import DivergedError
from workers import app as celery_app
from workers.protocol.events import Failed
from workers.protocol.jobs import Source, TraceJob, TrainJob
from workers.protocol.log_lines import about_run
from workers.runtime.engine import DoesNotFitError
from workers.runtime.feed import Feed, HandedBackError, SupersededError
from workers.runtime.process import Process
from workers.runtime.second_try import twice_if_full

log = logging.getLogger(__name__)

STORAGE_FULL = (
    "The worker's disk is full. What was saved before is kept whole; free some space, and start this again or go on "
    "from the last checkpoint."
)


# Publishes a whole run, from `started` to `finished`, and returns the maps to be kept.
Publish = Callable[[Feed, Portion], list[AttentionMap]]


def run_attempt(job: TraceJob | TrainJob, process: Process, publish: Publish) -> None:
    """Take the attempt, run it, and end it with exactly one last event; keep the maps that `publish` returns.

    Where the device's memory is full, `publish` begins again, in smaller portions: its `started` voids, for whoever
    watches or reads the run's file, what the first try said, as that of a later attempt does.
    """
    with about_run(job.run):
        _run_attempt(job, process, publish)


def _run_attempt(job: TraceJob | TrainJob, process: Process, publish: Publish) -> None:
    feed = Feed.take(process.server, celery_app.DATA, job.run, job.attempt)
    if feed is None:
        log.info("run %s: attempt %d was already taken, or the run has ended", job.run, job.attempt)
        return
    with feed, process.heartbeat.working(job.run, job.attempt):
        try:
            maps = twice_if_full(lambda portion: publish(feed, portion), process.engine, _sources(job))
        except SupersededError as void:
            log.info("%s", void)
            return
        except HandedBackError:
            log.info("run %s: this worker ends, another one goes on with it", job.run)
            feed.hand_back()
            return
        except (RequestError, GenerationError) as refused:
            feed.publish(Failed(code=refused.code, message=refused.message))
            return
        except PlanError as refused:
            feed.publish(Failed(code="plan_refused", message=refused.message))
            return
        except GroupError as ended:
            log.exception("run %s", job.run)
            feed.publish(Failed(code="internal", message=str(ended)))
            return
        except DivergedError as diverged:
            feed.publish(Failed(code="diverged", message=_diverged(diverged)))
            return
        except CheckpointError as refused:
            feed.publish(Failed(code="checkpoint_refused", message=str(refused)))
            return
        except DoesNotFitError as large:
            feed.publish(Failed(code="out_of_memory", message=_too_large(large)))
            return
        except MemoryError:
            log.exception("run %s", job.run)
            feed.publish(
                Failed(
                    code="out_of_memory",
                    message="The worker has too little memory for this run. Try a shorter text or a smaller model.",
                )
            )
            return
        except Exception as error:
            log.exception("run %s", job.run)
            if _is_of_full_disk(error):
                feed.publish(Failed(code="storage_full", message=STORAGE_FULL))
                return
            feed.publish(
                Failed(
                    code="internal",
                    message=f"The worker failed on this run. Its log says why, under run {job.run}.",
                )
            )
            return
        if not maps:
            return
        try:
            process.captures.keep(job.run, maps)
        except OSError as error:
            log.warning("run %s: its capture could not be kept, tiles will trace again: %s", job.run, error)


def _sources(job: TraceJob | TrainJob) -> list[Source]:
    """Of the models of the engine that the job runs; a training has one of its own."""
    return [job.source] if isinstance(job, TraceJob) else []


def _is_of_full_disk(error: Exception) -> bool:
    # safetensors tells of it in words alone.
    return getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "os error 28" in str(error)


def _diverged(diverged: DivergedError) -> str:
    return (
        f"The loss of step {diverged.step:,} is no number any more; the checkpoint before it is kept. "
        "Train again with a smaller learning rate or a longer warm-up."
    )


def _too_large(large: DoesNotFitError) -> str:
    return (
        f"The model needs {large.needed:,} bytes of memory, and the worker has {large.allowed:,} free. "
        "Choose a smaller model, or a worker with more memory."
    )
