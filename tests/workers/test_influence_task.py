"""An influence job is answered with another reading of the map, made again from q, k and what is kept beside them."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from transformers import GPT2LMHeadModel

from workers.protocol import frame, keys
from workers.protocol.events import Failed, Influence
from workers.protocol.jobs import InfluenceJob, TraceJob
from workers.runtime.process import Process
from workers.tasks import influence
from workers.tasks.trace import run_trace

IDS = [5, 6, 7, 5, 6]


def asked(job: TraceJob, **change: object) -> InfluenceJob:
    request = {"site": "decoder.self.1", "head": 1, "rows": (0, 5), "cols": (0, 5), "reading": "value", **change}
    return InfluenceJob.from_json(InfluenceJob(trace=job, reply="token", **request).to_json())  # type: ignore[arg-type]


def made(process: Process, request: InfluenceJob) -> tuple[Influence, np.ndarray]:
    event, arrays = frame.decode(influence.make_influence(request, process))
    assert isinstance(event, Influence)
    return event, np.asarray(arrays["values"])


@pytest.fixture
def outside(job: TraceJob) -> GPT2LMHeadModel:
    return GPT2LMHeadModel.from_pretrained(job.source.path, attn_implementation="eager").eval()


def test_value_weighted_rectangle_is_kept_beside_the_run(
    process: Process, job: TraceJob, expected: np.ndarray, outside: GPT2LMHeadModel, tmp_path: Path
) -> None:
    run_trace(job, process)
    event, values = made(process, asked(job, rows=(1, 4)))
    attention = outside.transformer.h[1].attn
    seen = []
    attention.c_attn.register_forward_hook(lambda _, __, out: seen.append(out[0, :, 40:48]))
    with torch.no_grad():
        outside(torch.tensor([IDS]))
        norms = (seen[0] @ attention.c_proj.weight[8:]).norm(dim=-1).numpy()
    np.testing.assert_allclose(values, expected[1:4] * norms, atol=1e-5)
    assert (event.reading, event.rule, event.rows, event.token) == ("value", "exact", [1, 4], None)
    assert (tmp_path / "captures" / "r+values").is_dir()


def test_what_is_kept_beside_a_run_is_read_again_and_made_again(
    process: Process, job: TraceJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_trace(job, process)
    request = asked(job, reading="gradient", position=3, token=9)
    _, values = made(process, request)
    kept = tmp_path / "captures"
    assert sorted(folder.name for folder in kept.iterdir()) == ["r", "r+gradient.3.9", "r+values"]
    with monkeypatch.context() as patched:
        patched.setattr(type(process.engine), "model", lambda *_: pytest.fail("the model was run again"))
        np.testing.assert_array_equal(made(process, request)[1], values)
    for folder in kept.iterdir():
        shutil.rmtree(folder)
    np.testing.assert_allclose(made(process, request)[1], values, atol=1e-6)


def test_gradient_of_an_output_that_is_not_named_is_of_the_likeliest_at_the_end(
    process: Process, job: TraceJob, outside: GPT2LMHeadModel
) -> None:
    run_trace(job, process)
    event, values = made(process, asked(job, reading="gradient"))
    output = outside(torch.tensor([IDS]), output_attentions=True)
    logits, map_ = output.logits[0, -1], output.attentions[1]
    map_.retain_grad()
    logits.max().backward()
    assert (event.position, event.token) == (4, int(logits.argmax()))
    assert event.logit == pytest.approx(float(logits.max()), abs=1e-5)
    assert map_.grad is not None
    np.testing.assert_allclose(values, (map_ * map_.grad)[0, 1].detach().numpy(), atol=1e-6)
    assert (values < 0).any()


def test_rollout_and_flow_are_the_same_for_all_heads_of_a_layer(
    process: Process, job: TraceJob, outside: GPT2LMHeadModel
) -> None:
    run_trace(job, process)
    with torch.no_grad():
        maps = outside(torch.tensor([IDS]), output_attentions=True).attentions
    first, second = ((map_[0].mean(0) + torch.eye(5)).numpy() / 2 for map_ in maps)
    rollout = second @ first
    for head in (0, 1):
        _, values = made(process, asked(job, head=head, reading="rollout", rows=(1, 4), cols=(0, 3)))
        np.testing.assert_allclose(values, rollout[1:4, 0:3], atol=1e-5)
    event, pooled = made(process, asked(job, reading="rollout", cell=2))
    assert event.rule == "max" and pooled.shape == (3, 3)
    np.testing.assert_allclose(pooled[2, 1], rollout[4, 2:4].max(), atol=1e-5)
    _, flow = made(process, asked(job, reading="flow", rows=(4, 5)))
    # From one token through two layers at least what the rollout tells may flow, and no more than reaches the end.
    assert flow.shape == (1, 5) and (flow[0] >= rollout[4] - 1e-5).all()
    np.testing.assert_allclose(flow[0, 4], min(1.0, first[4, 4]), atol=1e-5)


def test_whoever_asks_for_an_output_that_is_not_there_is_told_why(
    process: Process, job: TraceJob, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(influence, "current", lambda: process)
    influence.influence(asdict(asked(job, reading="gradient", token=64)))
    taken = broker.blpop([keys.reply("token")], timeout=1)
    assert taken is not None
    event = frame.decode(taken[1]).event
    assert isinstance(event, Failed) and (event.code, event.message) == ("bad_token", "The token goes from 0 to 63.")
