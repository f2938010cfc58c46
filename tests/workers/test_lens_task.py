"""A lens job is answered with every layer's guesses, off the stream as kept or made again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from transformers import GPT2LMHeadModel

from modelcore.analysis.tuned_lens import TunedLens
from modelcore.analysis.tuned_lens_file import AboutLens, save_tuned_lens
from modelcore.checkpoints.digest import digest_of
from workers.protocol import frame, keys, lenses
from workers.protocol.events import Failed, Lens
from workers.protocol.jobs import LensJob, TraceJob
from workers.runtime.process import Process
from workers.runtime.streams import Streams
from workers.tasks import lens
from workers.tasks.lens import make_lens


def asked(job: TraceJob, start: int = 0, stop: int = 5, top: int = 5) -> LensJob:
    return LensJob(trace=job, reply="token", positions=(start, stop), top=top)


def through_the_lens(job: TraceJob) -> np.ndarray:
    """Probabilities (layers, positions, vocabulary) by transformers."""
    model = GPT2LMHeadModel.from_pretrained(job.source.path).eval()
    with torch.no_grad():
        states = model(torch.tensor([job.ids]), output_hidden_states=True).hidden_states
        scores = [model.lm_head(model.transformer.ln_f(state)) for state in states[:-1]] + [model.lm_head(states[-1])]
    return torch.stack(scores)[:, 0].softmax(-1).numpy()


def test_answer_holds_the_guesses_of_every_layer_in_the_window(process: Process, job: TraceJob) -> None:
    event, arrays = frame.decode(make_lens(LensJob.from_json(asked(job, 1, 4).to_json()), process))
    assert isinstance(event, Lens)
    assert (event.sequence, event.positions, event.guesses, event.tuned) == ("decoder", [1, 4], "next", False)
    expected = through_the_lens(job)[:, 1:4]
    found = {name: np.asarray(array) for name, array in arrays.items()}
    assert found["ids"].shape == (3, 3, 5)
    np.testing.assert_allclose(found["probabilities"], -np.sort(-expected)[..., :5], atol=1e-5)
    assert found["truth"].tolist() == [7, 5, 6]
    np.testing.assert_allclose(found["truth_probabilities"][:, 0], expected[:, 0, 7], atol=1e-5)
    assert set(event.texts) == {str(id_) for id_ in {*found["ids"].flat, 5, 6, 7}}


def test_kept_stream_is_read_again_and_a_lost_one_made_again(process: Process, job: TraceJob, tmp_path: Path) -> None:
    first = make_lens(asked(job), process)
    kept = tmp_path / "streams" / "r.safetensors"
    assert kept.exists()
    assert make_lens(asked(job), process) == first
    kept.write_bytes(b"cut short")
    assert make_lens(asked(job), process) == first
    kept.unlink()
    assert make_lens(asked(job), process) == first


def test_oldest_streams_make_room(process: Process, job: TraceJob, tmp_path: Path) -> None:
    streams = Streams(tmp_path / "few", limit_bytes=1500)
    make_lens(asked(job), process)
    stream = process.streams.open("r")
    assert stream is not None
    for run in ("a", "b", "c"):
        streams.keep(run, stream)
    assert [streams.open(run) is not None for run in ("a", "b", "c")] == [False, False, True]


def test_tuned_lens_is_looked_through_up_to_the_last_layer(process: Process, job: TraceJob, tmp_path: Path) -> None:
    torch.manual_seed(2)
    tuned = TunedLens(torch.randn(2, 16, 16), torch.randn(2, 16))
    digest = digest_of(Path(job.source.path))
    about = AboutLens(checkpoint=digest, tokens=1, steps=1, before=[], after=[], trained_at=0.0)
    save_tuned_lens(lenses.place(tmp_path, job.source.model), tuned, about)
    event, arrays = frame.decode(make_lens(replace(asked(job), tuned=True), process))
    assert isinstance(event, Lens) and event.tuned
    plain = frame.decode(make_lens(asked(job), process)).arrays
    differ = np.abs(np.asarray(arrays["probabilities"]) - np.asarray(plain["probabilities"])).max((1, 2))
    assert (differ[:2] > 1e-3).all() and differ[2] < 1e-6


@pytest.mark.parametrize(
    ("positions", "change", "code"),
    [
        ((3, 9), None, "bad_positions"),
        ((0, 5), "/nowhere", "trace_again_refused"),
        ((0, 5), "tuned", "no_tuned_lens"),
    ],
)
def test_whoever_asks_is_answered_with_the_reason(
    process: Process,
    job: TraceJob,
    broker: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    positions: tuple[int, int],
    change: str | None,
    code: str,
) -> None:
    monkeypatch.setattr(lens, "current", lambda: process)
    if change == "tuned":
        request = replace(asked(job, *positions), tuned=True)
    else:
        request = asked(replace(job, source=replace(job.source, path=change or job.source.path)), *positions)
    lens.lens(request.to_json())
    taken = broker.blpop([keys.reply("token")], timeout=1)
    assert taken is not None
    event = frame.decode(taken[1]).event
    assert isinstance(event, Failed) and event.code == code
