"""Run the model for a trace job: what `trace` publishes and what `tile` makes again after an eviction."""

from __future__ import annotations

from collections.abc import Iterator

from modelcore.analysis.trace import NextTokens, SiteTraced, TokensRead, TraceRequest, trace
from workers.protocol.jobs import TraceJob
from workers.runtime.engine import Resident


def traced(job: TraceJob, resident: Resident) -> Iterator[TokensRead | SiteTraced | NextTokens]:
    """What modelcore yields for this job, layer by layer.

    Raises: RequestError where the text and the model do not fit.
    """
    request = TraceRequest(
        text=job.text, ids=job.ids, target=job.target, target_ids=job.target_ids, text_pair=job.text_pair
    )
    checkpoint = resident.checkpoint
    return trace(resident.model, request, checkpoint.tokenizer)
