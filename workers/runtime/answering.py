"""What all readings share: whoever asks is answered, also after the capture was evicted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.trace import RequestError, SiteTraced
from modelcore.checkpoints.reader import CheckpointError
from workers.protocol import frame
from workers.protocol.events import Failed
from workers.protocol.jobs import MapJob, ReadingJob, TraceJob
from workers.protocol.log_lines import about_run
from workers.runtime.feed import answer
from workers.runtime.process import Process
from workers.runtime.tracing import traced

log = logging.getLogger(__name__)


def answer_always(job: ReadingJob, process: Process, make: Callable[[], bytes]) -> None:
    """Answers with the frame that is made, or with the reason why there is none: nobody waits in vain."""
    with about_run(job.trace.run):
        answer(process.server, job.reply, _made(job, make))


def _made(job: ReadingJob, make: Callable[[], bytes]) -> bytes:
    try:
        return make()
    except RequestError as refused:
        return frame.encode(Failed(code=refused.code, message=refused.message))
    except CheckpointError as refused:
        return frame.encode(Failed(code="trace_again_refused", message=str(refused)))
    except Exception:
        log.exception("%s of run %s", type(job).__name__, job.trace.run)
        return frame.encode(Failed(code="internal", message="The worker failed on this request; its log says why."))


def map_of(job: MapJob, process: Process) -> AttentionMap:
    return maps_of(job.trace, process)[job.site]


def maps_of(trace: TraceJob, process: Process) -> dict[str, AttentionMap]:
    """A run's maps by site as kept, or traced again after they were evicted, which nobody sees but in the waiting."""
    kept = process.captures.open(trace.run)
    if kept is not None:
        return kept
    resident, _ = process.engine.model(trace.source)
    maps = [step.map for step in traced(trace, resident) if isinstance(step, SiteTraced)]
    process.captures.keep(trace.run, maps)
    return {str(attention.site): attention for attention in maps}
