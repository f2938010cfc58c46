"""Somebody trains the tuned lens of a model, sees how far it is, and stops it."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import redis
from django.conf import settings
from django.test import Client

from tests.webapp.conftest import MANIFEST, store
from tests.workers.golden_frames import GOLDEN
from webapp import dispatch
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol import archive, frame, keys, lenses
from workers.protocol.events import Tokens
from workers.protocol.jobs import TuneJob

pytestmark = pytest.mark.django_db(transaction=True)

URL = "/api/v1/models/tiny/lens"
ABOUT = {"checkpoint": "d", "tokens": 300, "steps": 9, "before": [2.0, 1.0], "after": [1.0, 0.5], "trained_at": 7.0}


def post(client: Client, url: str = URL, **body: object) -> tuple[int, dict[str, object]]:
    answer = client.post(url, body, content_type="application/json")
    return answer.status_code, answer.json()


def test_training_is_begun_once_and_can_be_followed_and_stopped(
    client: Client, checkpoint: Checkpoint, broker: redis.Redis, sent: list[TuneJob]
) -> None:
    assert client.get(URL).json()["state"] == "none"
    status, told = post(client, text="In the beginning was the word.")
    assert (status, told["state"], told["tuned"], told["least_tokens"]) == (202, "waiting", None, 256)
    assert [(job.source.model, job.text, job.ids) for job in sent] == [("tiny", "In the beginning was the word.", None)]
    assert broker.get(keys.lens_training("tiny")) == sent[0].token.encode()

    status, told = post(client, text="And again.")
    assert (status, told["error"]["code"]) == (409, "already_training")

    broker.set(keys.lens_told("tiny"), json.dumps({"state": "training", "done": 3, "total": 9}))
    told = client.get(URL).json()
    assert (told["state"], told["done"], told["total"]) == ("training", 3, 9)

    status, told = post(client, f"{URL}/cancel")
    assert (status, told["state"]) == (200, "cancelled")
    assert broker.get(keys.lens_training("tiny")) is None
    status, told = post(client, f"{URL}/cancel")
    assert (status, told["error"]["code"]) == (409, "not_training")
    assert post(client, text="And again.")[0] == 202


def test_lens_tells_what_it_learned(client: Client, checkpoint: Checkpoint, broker: redis.Redis) -> None:
    place = lenses.place(settings.DATA, "tiny")
    place.parent.mkdir(parents=True, exist_ok=True)
    header = json.dumps({"__metadata__": {"about": json.dumps(ABOUT)}}).encode()
    place.write_bytes(len(header).to_bytes(8, "little") + header)
    broker.set(keys.lens_told("tiny"), json.dumps({"state": "failed", "code": "internal", "message": "It failed."}))
    try:
        told = client.get(URL).json()
    finally:
        place.unlink()
    assert told["tuned"] == {name: value for name, value in ABOUT.items() if name != "checkpoint"}
    assert told["error"] == {"code": "internal", "message": "It failed."}


def test_text_of_a_run_teaches(client: Client, run: Run, sent: list[TuneJob], broker: redis.Redis) -> None:
    """Of a run that read a text the text is taken, and how many tokens it has is known."""
    event, _ = GOLDEN["tokens"]
    many = 256
    assert isinstance(event, Tokens)
    longer = replace(event, texts=["a"] * many, special=[False] * many)
    arrays = {"ids": np.arange(many, dtype=np.int32), "offsets": np.zeros((many, 2), np.int32)}
    writer = archive.ArchiveWriter(archive.folder(settings.DATA, run.id), 1)
    writer.append(1, frame.encode(replace(longer, seq=1), arrays))
    writer.close()
    assert post(client, run=run.id)[0] == 202
    assert (sent[0].text, sent[0].ids) == (run.text, None)


def test_short_run_is_refused_with_what_is_needed(client: Client, run: Run, sent: list[TuneJob]) -> None:
    store(run, "started", "tokens", "finished")
    status, told = post(client, run=run.id)
    assert (status, told["error"]["code"], told["error"]["limit"]) == (422, "text_too_short", 256)
    assert sent == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "text_or_run"),
        ({"text": "a", "run": "b"}, 422, "text_or_run"),
        ({"text": "  "}, 422, "text_too_short"),
        ({"text": "a" * 400_001}, 413, "text_too_long"),
        ({"run": "nobody"}, 404, "unknown_run"),
        ({"text": 7}, 422, "invalid"),
    ],
)
def test_what_teaches_nothing_is_refused(
    client: Client, checkpoint: Checkpoint, sent: list[TuneJob], body: dict[str, object], status: int, code: str
) -> None:
    answered, told = post(client, **body)
    assert answered == status
    assert code == "invalid" or told["error"]["code"] == code
    assert sent == []


def test_run_of_another_model_is_refused(client: Client, run: Run, translator: Checkpoint) -> None:
    Checkpoint.objects.filter(pk="both").update(manifest=MANIFEST)
    status, told = post(client, "/api/v1/models/both/lens", run=run.id)
    assert (status, told["error"]["code"]) == (422, "other_model")


@pytest.mark.parametrize(
    "change", [{"output": "hidden"}, {"architecture": "encoder-decoder"}, {"run_by": "transformers 5"}]
)
def test_model_that_cannot_have_one_is_refused(
    client: Client, checkpoint: Checkpoint, sent: list[TuneJob], change: dict[str, str]
) -> None:
    Checkpoint.objects.filter(pk="tiny").update(manifest={**MANIFEST, **change})
    status, told = post(client, text="In the beginning.")
    assert (status, told["error"]["code"]) == (409, "not_tunable")


@pytest.mark.parametrize("path", [URL, f"{URL}/cancel"])
def test_unknown_model_is_refused(client: Client, db: None, path: str) -> None:
    status, told = post(client, path, text="a")
    assert (status, told["error"]["code"]) == (404, "unknown_model")


def test_job_that_could_not_be_sent_leaves_nothing_under_way(
    client: Client, checkpoint: Checkpoint, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "_send", lambda *_: False)
    status, told = post(client, text="In the beginning.")
    assert (status, told["error"]["code"]) == (503, "workers_away")
    assert broker.get(keys.lens_training("tiny")) is None
