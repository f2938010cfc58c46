"""What all readings of a map share: whoever asks is answered, also after the capture was evicted."""

from __future__ import annotations

import logging
from collections.abc import Callable

from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.trace import RequestError, SiteTraced
from modelcore.checkpoints.reader import CheckpointError
from workers.protocol import frame
from workers.protocol.events import Failed
from workers.protocol.jobs import MapJob
from workers.runtime.feed import answer
from workers.runtime.process import Process
from workers.runtime.tracing import traced

log = logging.getLogger(__name__)


def answer_always(job: MapJob, process: Process, make: Callable[[], bytes]) -> None:
    """Answers with the frame that is made, or with the reason why there is none: nobody waits in vain."""
    try:
        reply = make()
    except (RequestError, CheckpointError) as refused:
        reply = frame.encode(Failed(code="trace_again_refused", message=str(refused)))
    except Exception:
        log.exception("%s of run %s", type(job).__name__, job.trace.run)
        reply = frame.encode(Failed(code="internal", message="The worker failed on this request; its log says why."))
    answer(process.server, job.reply, reply)


def map_of(job: MapJob, process: Process) -> AttentionMap:
    """The map as kept, or traced again after it was evicted, which nobody sees but in the waiting."""
    run = job.trace.run
    kept = process.captures.open(run)
    if kept is not None:
        return kept[job.site]
    resident, _ = process.engine.model(job.trace.source)
    maps = [step.map for step in traced(job.trace, resident) if isinstance(step, SiteTraced)]
    process.captures.keep(run, maps)
    return {str(attention.site): attention for attention in maps}[job.site]
