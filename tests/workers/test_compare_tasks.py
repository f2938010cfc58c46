"""Jobs that compare two runs are answered by both runs' maps, as kept or traced again."""

from __future__ import annotations

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from transformers import GPT2LMHeadModel

from workers.protocol import frame, keys
from workers.protocol.comparison_events import Comparison, Difference
from workers.protocol.events import Failed
from workers.protocol.jobs import CompareJob, DifferenceJob, Sequences, TraceJob
from workers.runtime.process import Process
from workers.tasks import compare, difference
from workers.tasks.trace import run_trace

OTHER_IDS = [5, 6, 9, 9, 7, 5, 6]  # two tokens were put in behind the second of 5 6 7 5 6
SITES = ["decoder.self.0", "decoder.self.1"]
PARTNERS = [0, 1, 4, 5, 6]


@pytest.fixture
def other(job: TraceJob) -> TraceJob:
    return replace(job, run="s", ids=OTHER_IDS)


@pytest.fixture
def sequences(job: TraceJob) -> dict[str, Sequences]:
    a, b = ([str(id_) for id_ in ids] for ids in (job.ids or [], OTHER_IDS))
    return {"decoder": Sequences(a=a, b=b, special_a=[False] * len(a), special_b=[False] * len(b))}


@pytest.fixture
def truths(job: TraceJob) -> tuple[np.ndarray, np.ndarray]:
    """The maps of the second layer's second head, by transformers' eager attention."""
    model = GPT2LMHeadModel.from_pretrained(job.source.path, attn_implementation="eager").eval()
    with torch.no_grad():
        told = [model(torch.tensor([ids]), output_attentions=True) for ids in (job.ids, OTHER_IDS)]
    first, second = (out.attentions[1][0, 1].numpy() for out in told)
    return first, second


@pytest.fixture
def comparison(job: TraceJob, other: TraceJob, sequences: dict[str, Sequences]) -> CompareJob:
    return CompareJob(trace=job, other=other, reply="token", sequences=sequences, sites=SITES, most_weights=1 << 20)


@pytest.fixture
def rectangle(job: TraceJob, other: TraceJob, sequences: dict[str, Sequences]) -> DifferenceJob:
    return DifferenceJob(
        trace=job,
        other=other,
        reply="token",
        sequences=sequences,
        site="decoder.self.1",
        head=1,
        rows=(1, 5),
        cols=(0, 4),
    )


def run_both(job: TraceJob, other: TraceJob, process: Process) -> None:
    for trace in (job, other):
        run_trace(trace, process)


def test_comparison_tells_every_head_and_who_belongs_to_whom(
    process: Process, job: TraceJob, other: TraceJob, comparison: CompareJob
) -> None:
    run_both(job, other, process)
    event, arrays = frame.decode(compare.make_comparison(CompareJob.from_json(comparison.to_json()), process))
    assert isinstance(event, Comparison)
    assert (event.sites, event.heads, event.rows_read, event.rows_shared) == (SITES, [2, 2], [5, 5], [5, 5])
    assert np.asarray(arrays["decoder_pairs"]).tolist() == [[place, partner] for place, partner in enumerate(PARTNERS)]
    distance, row = np.asarray(arrays["distance"]), np.asarray(arrays["row"])
    assert distance.shape == (4,) and (distance > 0).all()
    # The first row sees the first token alone, which is its sink: it says nothing.
    assert {*row.ravel().tolist()} <= {1, 2, 3, 4, -1}


def test_difference_is_that_of_transformers_at_the_partners_places(
    process: Process, job: TraceJob, other: TraceJob, rectangle: DifferenceJob, truths: tuple[np.ndarray, np.ndarray]
) -> None:
    run_both(job, other, process)
    event, arrays = frame.decode(difference.make_difference(DifferenceJob.from_json(rectangle.to_json()), process))
    assert isinstance(event, Difference) and (event.rows, event.cols, event.cell) == ([1, 5], [0, 4], 1)
    a, b = truths
    expected = b[np.ix_(PARTNERS[1:5], PARTNERS[0:4])] - a[1:5, 0:4]
    np.testing.assert_allclose(np.asarray(arrays["weights"]), expected, atol=1e-5)


def test_evicted_runs_are_traced_again(
    process: Process, job: TraceJob, other: TraceJob, rectangle: DifferenceJob, tmp_path: Path
) -> None:
    run_both(job, other, process)
    kept = difference.make_difference(rectangle, process)
    for run in (job.run, other.run):
        shutil.rmtree(tmp_path / "captures" / run)
    again = difference.make_difference(rectangle, process)
    old, new = (np.asarray(frame.decode(made).arrays["weights"]) for made in (kept, again))
    np.testing.assert_allclose(old, new, atol=1e-6)


def test_hand_made_pairs_are_kept_through_the_queue(
    process: Process, comparison: CompareJob, sequences: dict[str, Sequences]
) -> None:
    sequences["decoder"].by_hand.append((2, 3))
    _, arrays = frame.decode(compare.make_comparison(CompareJob.from_json(comparison.to_json()), process))
    assert [2, 3] in np.asarray(arrays["decoder_pairs"]).tolist()


@pytest.mark.parametrize("task", ["compare", "difference"])
def test_whoever_asks_is_answered_even_when_a_checkpoint_is_gone(
    process: Process,
    comparison: CompareJob,
    rectangle: DifferenceJob,
    broker: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    task: str,
) -> None:
    module, asked = {"compare": (compare, asdict(comparison)), "difference": (difference, asdict(rectangle))}[task]
    monkeypatch.setattr(module, "current", lambda: process)
    asked["other"]["source"]["path"] = "/nowhere"
    getattr(module, task)(asked)
    taken = broker.blpop([keys.reply("token")], timeout=1)
    assert taken is not None
    assert isinstance(frame.decode(taken[1]).event, Failed)
