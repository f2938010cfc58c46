"""What tests of the site share: a model in the library, a run, its frames, and jobs that are caught on their way."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest
import redis
from django.conf import settings

from tests.workers.golden_frames import FOLDER, GOLDEN
from webapp import dispatch
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol import archive, frame, keys
from workers.protocol.jobs import QUEUE, ReadingJob, TileJob, TraceJob

Job = TypeVar("Job", bound=ReadingJob)

MANIFEST = {
    "family": "gpt2",
    "architecture": "decoder",
    "output": "vocabulary",
    "layers": 2,
    "encoder_layers": 0,
    "heads": 2,
    "width": 32,
    "has_tokenizer": True,
    "positions": 16,
    "longest": 16,
    "vocabulary": 512,
    "parameters": 12_345,
    "size_bytes": 49_380,
    "longest_token": 8,
}


@pytest.fixture
def checkpoint(db: None, tmp_path: Path) -> Checkpoint:
    return Checkpoint.objects.create(
        id="tiny",
        name="Tiny",
        path=str(tmp_path),
        fingerprint="f",
        manifest=MANIFEST,
        examples=[{"title": "So", "text": "So it goes.", "site": "decoder.self.0", "head": 0, "finding": "It goes."}],
    )


@pytest.fixture
def translator(checkpoint: Checkpoint, tmp_path: Path) -> Checkpoint:
    manifest = {**MANIFEST, "architecture": "encoder-decoder"}
    return Checkpoint.objects.create(id="both", name="Both", path=str(tmp_path), fingerprint="f", manifest=manifest)


@pytest.fixture
def run(checkpoint: Checkpoint) -> Run:
    return Run.objects.create(checkpoint=checkpoint, text="🙂 é")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[TraceJob | TileJob]:
    """Every job that would have gone to the workers."""
    jobs: list[TraceJob | TileJob] = []

    def catch(task: str, job: TraceJob | TileJob, queue: str = QUEUE) -> bool:
        jobs.append(job)
        return True

    monkeypatch.setattr(dispatch, "_send", catch)
    return jobs


def store(run: Run, *names: str, attempt: int = 1) -> list[bytes]:
    """Store golden frames as a worker would have, numbered on from what is there; old ones as they are."""
    folder = archive.folder(settings.DATA, run.id)
    newest = archive.last(folder)
    writer = archive.ArchiveWriter(folder, attempt)
    frames = []
    for seq, name in enumerate(names, (newest.seq if newest else 0) + 1):
        if name in GOLDEN:
            event, arrays = GOLDEN[name]
            frames.append(frame.encode(replace(event, seq=seq), arrays))
        else:
            frames.append((FOLDER / f"{name}.frame").read_bytes())
        writer.append(seq, frames[-1])
    writer.close()
    return frames


@contextmanager
def answering(broker: redis.Redis, kind: type[Job], answer: Callable[[Job], bytes]) -> Iterator[list[Job]]:
    """A worker that takes jobs from the real queue, as Celery would; gives what it was asked."""
    asked: list[Job] = []
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            taken = broker.blpop([QUEUE], timeout=0.1)
            if not taken:
                continue
            message = json.loads(taken[1])
            arguments = json.loads(base64.b64decode(message["body"]))[0]
            job = kind.from_json(arguments[0])
            asked.append(job)
            broker.lpush(keys.reply(job.reply), answer(job))

    thread = threading.Thread(target=work)
    thread.start()
    yield asked
    stop.set()
    thread.join()
