"""Somebody sends a picture, and asks a vision model to read it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from webapp.checkpoints.models import Checkpoint
from webapp.checkpoints.register import register
from webapp.record.unused import KEPT_S, remove_unused_pictures
from webapp.runs.models import Run
from workers.protocol import pictures
from workers.protocol.jobs import TraceJob

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


@pytest.fixture
def seer(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.manifest = {**checkpoint.manifest, "architecture": "vision", "output": "classes"}
    checkpoint.save()
    return checkpoint


def send(client: Client, content: bytes, type_: str = "image/png") -> Any:
    return client.post("/api/v1/pictures", content, content_type=type_)


def ask(client: Client, **body: Any) -> Any:
    return client.post("/api/v1/runs", {"model": "tiny", **body}, content_type="application/json")


def test_picture_is_stored_once_under_its_hash(client: Client) -> None:
    answer = send(client, PNG)
    assert answer.status_code == 201
    assert answer.json() == {"id": hashlib.sha256(PNG).hexdigest(), "size_bytes": len(PNG)}
    assert send(client, PNG).json() == answer.json()
    folder = settings.DATA / "pictures"
    assert (folder / answer.json()["id"]).read_bytes() == PNG
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "empty_picture"),
        (b"<svg onload=alert(1)>", 422, "not_a_picture"),
        (b"%PDF-1.7", 422, "not_a_picture"),
        (b"RIFF1234WAVE", 422, "not_a_picture"),
    ],
)
def test_what_is_no_picture_is_refused_and_not_kept(client: Client, content: bytes, status: int, code: str) -> None:
    answer = send(client, content)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert not (settings.DATA / "pictures" / hashlib.sha256(content).hexdigest()).exists()


def test_picture_may_be_longer_than_other_bodies_but_has_a_limit(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert send(client, PNG + bytes(settings.BODY_LIMIT_BYTES)).status_code == 201
    monkeypatch.setattr(settings, "PICTURE_LIMIT_BYTES", 100)
    refused = send(client, PNG + bytes(100))
    assert (refused.status_code, refused.json()["error"]["limit"]) == (413, 100)


def test_run_names_a_stored_picture(client: Client, seer: Checkpoint, sent: list[TraceJob]) -> None:
    picture = send(client, PNG).json()["id"]
    answer = ask(client, picture=picture)
    assert answer.status_code == 201
    run = Run.objects.get(pk=answer.json()["id"])
    assert (run.job().picture, run.job().text) == (picture, None)
    assert client.get(f"/api/v1/runs/{run.id}").json()["picture"] == picture


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"text": "So it goes."}, "image_needed"),
        ({}, "image_needed"),
        ({"picture": "stored", "text": "So it goes."}, "image_needed"),
        ({"picture": "stored", "target_ids": [1]}, "image_needed"),
        ({"picture": "0" * 64}, "unknown_picture"),
        ({"picture": "../" * 20}, "bad_field"),
    ],
)
def test_vision_model_reads_one_stored_picture_and_nothing_else(
    client: Client, seer: Checkpoint, body: dict[str, Any], code: str
) -> None:
    stored = send(client, PNG).json()["id"]
    answer = ask(client, **(body | ({"picture": stored} if body.get("picture") == "stored" else {})))
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)
    assert not Run.objects.exists()


def test_model_of_texts_takes_no_picture(client: Client, checkpoint: Checkpoint) -> None:
    answer = ask(client, picture=send(client, PNG).json()["id"])
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "no_image")


def test_pictures_on_a_card_are_stored_and_named_by_their_id(
    db: None, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoint: Checkpoint
) -> None:
    folder = tmp_path / "zoo"
    folder.mkdir()
    (folder / "seven.png").write_bytes(PNG)
    example = {"title": "A seven", "picture": "seven.png", "site": "encoder.self.0", "head": 0, "finding": "Ink."}
    monkeypatch.setattr("webapp.checkpoints.register.describe", lambda _: checkpoint.manifest)
    register(folder, json.loads(json.dumps({"id": "zoo", "examples": [example]})))
    known = client.get("/api/v1/models").json()["models"][-1]["examples"][0]
    assert known["picture"] == hashlib.sha256(PNG).hexdigest() and known["text"] == ""
    assert pictures.place(settings.DATA, known["picture"]).read_bytes() == PNG


def test_picture_is_removed_a_day_after_it_was_last_sent_unless_a_run_names_it(
    client: Client, seer: Checkpoint
) -> None:
    used, unused, fresh = (send(client, PNG + bytes([n])).json()["id"] for n in range(3))
    assert ask(client, picture=used).status_code == 201
    folder = settings.DATA / "pictures"
    broken_off = folder / ".half"
    broken_off.write_bytes(b"\x89PNG")
    yesterday = time.time() - KEPT_S - 60
    for path in (folder / used, folder / unused, folder / fresh, broken_off):
        os.utime(path, (yesterday, yesterday))
    send(client, PNG + bytes([2]))
    assert remove_unused_pictures() == 2
    assert {path.name for path in folder.iterdir()} >= {used, fresh}
    assert not (folder / unused).exists() and not broken_off.exists()
    assert remove_unused_pictures() == 0
