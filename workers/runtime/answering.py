"""What all readings share: whoever asks is answered, also after the capture was evicted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from modelcore.analysis.chunks import USUAL, Portion
from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.trace import RequestError, SiteTraced
from modelcore.checkpoints.reader import CheckpointError
from workers.protocol import frame
from workers.protocol.events import Failed
from workers.protocol.jobs import CompareJob, DifferenceJob, MapJob, ReadingJob, Source, TraceJob
from workers.protocol.log_lines import about_run
from workers.runtime.feed import answer
from workers.runtime.process import Process
from workers.runtime.second_try import twice_if_full
from workers.runtime.tracing import traced

log = logging.getLogger(__name__)

TOO_LITTLE_MEMORY = "The worker has too little memory for this request. Ask for a smaller part, or try a shorter text."


def answer_always(job: ReadingJob, process: Process, make: Callable[[Portion], bytes]) -> None:
    """Answers with the frame that is made, or with the reason why there is none: nobody waits in vain."""
    with about_run(job.trace.run):
        answer(process.server, job.reply, _made(job, process, make))


def _made(job: ReadingJob, process: Process, make: Callable[[Portion], bytes]) -> bytes:
    try:
        return twice_if_full(make, process.engine, _sources(job))
    except RequestError as refused:
        return frame.encode(Failed(code=refused.code, message=refused.message))
    except CheckpointError as refused:
        return frame.encode(Failed(code="trace_again_refused", message=str(refused)))
    except MemoryError:
        log.exception("%s of run %s", type(job).__name__, job.trace.run)
        return frame.encode(Failed(code="out_of_memory", message=TOO_LITTLE_MEMORY))
    except Exception:
        log.exception("%s of run %s", type(job).__name__, job.trace.run)
        return frame.encode(Failed(code="internal", message="The worker failed on this request; its log says why."))


def _sources(job: ReadingJob) -> list[Source]:
    """Of the models that are run again where the run's maps were evicted."""
    others = [job.other.source] if isinstance(job, CompareJob | DifferenceJob) else []
    return [job.trace.source, *others]


def map_of(job: MapJob, process: Process, portion: Portion = USUAL) -> AttentionMap:
    return maps_of(job.trace, process, portion)[job.site]


def maps_of(trace: TraceJob, process: Process, portion: Portion = USUAL) -> dict[str, AttentionMap]:
    """A run's maps by site as kept, or traced again after they were evicted, which nobody sees but in the waiting."""
    kept = process.captures.open(trace.run)
    if kept is not None:
        return kept
    resident, _ = process.engine.model(trace.source)
    maps = [step.map for step in traced(trace, resident, portion) if isinstance(step, SiteTraced)]
    process.captures.keep(trace.run, maps)
    return {str(attention.site): attention for attention in maps}
