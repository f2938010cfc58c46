"""Somebody asks for a run."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol.jobs import TraceJob

URL = "/api/v1/runs"


def post(client: Client, **body: Any) -> Any:
    return client.post(URL, {"model": "tiny", **body}, content_type="application/json")


def test_run_is_written_down_and_sent(
    client: Client, checkpoint: Checkpoint, sent: list[TraceJob], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(client, kind="trace", text="So it goes.")
    assert answer.status_code == 201
    run = Run.objects.get(pk=answer.json()["id"])
    assert answer.json() == {"id": run.id, "socket": f"/ws/runs/{run.id}", "page": f"/runs/{run.id}"}
    assert (run.state, run.attempt, run.text) == ("queued", 1, "So it goes.")
    assert run.dispatched_at is not None
    assert [(job.run, job.attempt, job.text, job.source.path) for job in sent] == [
        (run.id, 1, "So it goes.", checkpoint.path)
    ]


def test_run_is_sent_only_after_the_commit(client: Client, checkpoint: Checkpoint, sent: list[TraceJob]) -> None:
    assert post(client, text="So it goes.").status_code == 201
    assert sent == []


def test_ids_stand_for_a_text(client: Client, checkpoint: Checkpoint, sent: list[TraceJob]) -> None:
    answer = post(client, ids=[0, 511])
    assert answer.status_code == 201
    assert Run.objects.get(pk=answer.json()["id"]).job().ids == [0, 511]


def test_encoder_decoder_takes_a_target(client: Client, translator: Checkpoint, sent: list[TraceJob]) -> None:
    answer = post(client, model="both", text="three", target="3")
    assert answer.status_code == 201
    assert Run.objects.get(pk=answer.json()["id"]).job().target == "3"


def test_model_that_reads_pictures_takes_no_text(client: Client, checkpoint: Checkpoint) -> None:
    checkpoint.manifest = {**checkpoint.manifest, "architecture": "vision"}
    checkpoint.save()
    answer = post(client, text="So it goes.")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "image_needed"


@pytest.mark.parametrize("text", ["🙂🏽‍🚀 e\u0301", "שלום", "a\tb\nc", "<script>alert(1)</script>"])
def test_every_script_is_a_text(client: Client, checkpoint: Checkpoint, sent: list[TraceJob], text: str) -> None:
    answer = post(client, text=text)
    assert answer.status_code == 201
    assert Run.objects.get(pk=answer.json()["id"]).text == text


@pytest.mark.parametrize(
    ("body", "status", "code", "says"),
    [
        ({"text": ""}, 422, "empty_text", "at least one word"),
        ({"text": " \n"}, 422, "empty_text", "at least one word"),
        ({"text": "x" * 100_000}, 422, "text_too_long", "100,000 characters; Tiny reads at most 16 tokens"),
        ({"text": "a\0b"}, 422, "nul_character", "Character 2"),
        ({"text": "a\ud800"}, 422, "lone_surrogate", "Character 2"),
        ({}, 422, "text_or_ids", '"text" or "ids"'),
        ({"text": "a", "ids": [1]}, 422, "text_or_ids", "not both"),
        ({"ids": []}, 422, "empty_text", "at least one token id"),
        ({"ids": [512]}, 422, "id_out_of_range", "0 to 511"),
        ({"ids": [0, -1]}, 422, "id_out_of_range", "ids[1]"),
        ({"ids": [10**4000]}, 422, "id_out_of_range", "0 to 511"),
        ({"k" * 1000: 1, "text": "a"}, 422, "bad_field", "kkk"),
        ({"ids": [0] * 17}, 422, "text_too_long", "at most 16"),
        ({"ids": ["0"]}, 422, "bad_field", "ids.0"),
        ({"text": 5}, 422, "bad_field", "text"),
        ({"text": "a", "target": "b"}, 422, "no_target", "takes no target"),
        ({"text": "a", "kind": "dance"}, 422, "bad_field", "kind"),
        ({"text": "a", "colour": "red"}, 422, "bad_field", "colour"),
        ({"text": "a", "model": "nobody"}, 404, "unknown_model", "GET /api/v1/models"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_sentence(
    client: Client,
    checkpoint: Checkpoint,
    sent: list[TraceJob],
    body: dict[str, Any],
    status: int,
    code: str,
    says: str,
) -> None:
    answer = post(client, **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert says in error["message"] and len(error["message"]) <= 300
    assert not Run.objects.exists() and not sent


def test_model_whose_files_are_gone_is_refused(client: Client, checkpoint: Checkpoint) -> None:
    Checkpoint.objects.update(path="/nowhere/at/all")
    answer = post(client, text="a")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "model_missing")
    assert client.get("/api/v1/models").json()["models"][0]["state"] == "missing"


@pytest.mark.parametrize(
    ("type_", "body", "status", "code"),
    [
        ("multipart/form-data; boundary=x", b"--x--", 415, "json_expected"),
        ("application/octet-stream", b"\x00\x01", 415, "json_expected"),
        ("application/json", b'{"model": ', 400, "bad_json"),
        ("application/json", b"\xff\xfe", 400, "bad_json"),
        ("application/json", b"[" * 100_000, 400, "bad_json"),
        ("application/json", b"[]", 422, "bad_field"),
    ],
)
def test_body_that_is_not_the_expected_json_is_refused(
    client: Client, checkpoint: Checkpoint, type_: str, body: bytes, status: int, code: str
) -> None:
    answer = client.post(URL, body, content_type=type_)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_run_waits_in_the_database_while_the_broker_is_away(
    client: Client, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    monkeypatch.setattr("webapp.dispatch._send", lambda *_: False)
    with django_capture_on_commit_callbacks(execute=True):
        answer = post(client, text="a")
    assert answer.status_code == 201
    run = Run.objects.get()
    assert (run.state, run.dispatched_at) == ("queued", None)


def test_full_disk_is_said_in_words(client: Client, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(**_: object) -> None:
        raise OperationalError("database or disk is full")

    monkeypatch.setattr(Run.objects, "create", no_room)
    answer = post(client, text="a")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_away")
    assert "disk may be full" in answer.json()["error"]["message"]


def test_second_text_goes_to_models_that_take_pairs(client: Client, checkpoint: Checkpoint, sent: list) -> None:
    order = {"kind": "trace", "model": "tiny", "text": "It goes.", "text_pair": "It went."}
    refused = client.post("/api/v1/runs", order, content_type="application/json")
    assert refused.status_code == 422
    assert refused.json()["error"]["field"] == "text_pair"
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "architecture": "encoder", "pairs": True})
    run = client.post("/api/v1/runs", order, content_type="application/json").json()["id"]
    assert client.get(f"/api/v1/runs/{run}").json()["text_pair"] == "It went."
    assert Run.objects.get(pk=run).job().text_pair == "It went."


def test_second_text_is_checked_as_the_first_is(client: Client, checkpoint: Checkpoint) -> None:
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "architecture": "encoder", "pairs": True})
    order = {"kind": "trace", "model": "tiny", "text": "It goes.", "text_pair": " "}
    refused = client.post("/api/v1/runs", order, content_type="application/json")
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "empty_text")
