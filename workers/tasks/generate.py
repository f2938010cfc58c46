"""Generate: write on from a text, send every token with each head's new row, and at the end trace what was written."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from modelcore.analysis.chunks import Portion
from modelcore.analysis.maps import AttentionMap
from modelcore.analysis.request import TraceRequest
from modelcore.analysis.trace import NextTokens, SiteTraced, TokensRead
from modelcore.analysis.writing import BeamsGrown, Written, write, write_beams
from modelcore.generation.beams import BeamSearch, LengthPenalty
from modelcore.generation.row_watch import PromptRows
from modelcore.generation.sampling import Sampling
from workers.app import app
from workers.protocol import jobs
from workers.protocol.jobs import Choices, GenerateJob, TraceJob
from workers.runtime import encoding
from workers.runtime.attempts import run_attempt
from workers.runtime.engine import Resident
from workers.runtime.feed import Feed
from workers.runtime.process import Process, current
from workers.tasks.trace import finished, started

Told = TokensRead | Written | PromptRows | BeamsGrown | SiteTraced | NextTokens


@app.task(name=jobs.GENERATE)
def generate(job: dict[str, Any]) -> None:
    """Celery's entry."""
    process = current()
    run_generate(GenerateJob.from_json(job), process)


def run_generate(job: GenerateJob, process: Process) -> None:
    run_attempt(job.trace, process, lambda feed, portion: _publish_writing(job, process, feed, portion))


def _publish_writing(job: GenerateJob, process: Process, feed: Feed, portion: Portion) -> list[AttentionMap]:
    """Publish everything from `started` to `finished`; returns the finished text's maps for the captures."""
    queued_s = max(0.0, time.time() - job.trace.submitted_at)
    feed.publish(started(job.trace, process))
    resident, load_s = process.engine.model(job.trace.source)
    tokenizer = resident.checkpoint.tokenizer
    maps: list[AttentionMap] = []
    nodes = 0
    began = written_at = time.perf_counter()
    for told in _told(job.trace, job.choices, resident, portion):
        match told:
            case TokensRead():
                feed.publish(*encoding.tokens(told))
            case Written():
                feed.publish(*encoding.step(told, tokenizer))
                written_at = time.perf_counter()
            case PromptRows():
                feed.publish(*encoding.prompt_rows(told))
            case BeamsGrown():
                feed.publish(*encoding.beams(told, nodes, tokenizer))
                nodes += len(told.kept)
                written_at = time.perf_counter()
            case SiteTraced():
                feed.publish(*encoding.site(told))
                maps.append(told.map)
            case NextTokens():
                feed.publish(*encoding.probabilities(told, tokenizer))
    timings = {
        "queued_s": queued_s,
        "load_s": load_s,
        "write_s": written_at - began,
        "trace_s": time.perf_counter() - written_at,
    }
    feed.publish(finished(maps, timings))
    return maps


def _told(job: TraceJob, choices: Choices, resident: Resident, portion: Portion) -> Iterator[Told]:
    """Raises: GenerationError or RequestError where the text, the choices and the model do not fit."""
    request = TraceRequest(text=job.text, ids=job.ids, target=job.target, target_ids=job.target_ids)
    tokenizer = resident.checkpoint.tokenizer
    if choices.beams is not None:
        penalty = LengthPenalty() if choices.length_penalty is None else LengthPenalty("wu", choices.length_penalty)
        search = BeamSearch(choices.beams, penalty, choices.max_tokens)
        yield from write_beams(resident.model, request, search, tokenizer, portion)
        return
    sampling = Sampling(
        repetition_penalty=choices.repetition_penalty,
        temperature=choices.temperature,
        top_k=choices.top_k,
        top_p=choices.top_p,
        min_p=choices.min_p,
        seed=choices.seed,
        max_tokens=choices.max_tokens,
        stop_strings=tuple(choices.stop_strings),
    )
    yield from write(resident.model, request, sampling, tokenizer, portion)
