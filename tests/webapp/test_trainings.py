"""Somebody starts a training, steers it, and finds its model in the library."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils import timezone

from modelcore.training.plan import (
    ASSIGNMENTS,
    CHOICES,
    CUT_BY_CHOICE,
    LIMITS_OF_KEY_WIDTH,
    LIMITS_OF_REAL,
    LIMITS_OF_WHOLE,
    LINES,
    OF_A_TEXT,
    OF_PICTURES,
    PAIRED,
    PLAIN_ARCHITECTURE,
    STARTED,
    TrainingPlan,
)
from tests.webapp.conftest import MANIFEST
from webapp.api import plan_checks
from webapp.api.trainings import PlanRequest
from webapp.checkpoints.models import Checkpoint
from webapp.record import keeper
from webapp.record.unused import KEPT_S, remove_unused_archives
from webapp.runs.models import Run
from workers.protocol import archives, keys, trainings
from workers.protocol.jobs import TrainJob

PLAN = {"assignment": "copy", "steps": 20}


def post(client: Client, address: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/{address}", body, content_type="application/json")


@pytest.fixture
def training(db: None, broker: redis.Redis) -> Run:
    return Run.objects.create(kind="train", plan=PLAN)


@pytest.mark.django_db(transaction=True)
def test_training_is_written_down_and_sent_to_those_who_train(
    client: Client, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, Any, str]] = []
    monkeypatch.setattr("webapp.dispatch._send", lambda task, job, queue="interactive": sent.append((task, job, queue)))
    answer = post(client, "trainings", PLAN)
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert told["page"] == f"/trainings/{told['id']}" and told["plan"]["layers"] == 2 and told["model"] is None
    ((task, job, queue),) = sent
    assert (task, queue) == ("train", "train") and isinstance(job, TrainJob) and job.plan["steps"] == 20
    assert client.get("/api/v1/trainings").json()["trainings"][0]["id"] == told["id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"assignment": "chess"}, "assignment"),
        ({"heads": 3}, "heads"),
        ({"layers": 99}, "layers"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"assignment": "text"}, "text"),
        ({"assignment": "text", "text": ""}, "text"),
        ({"assignment": "pairs", "text": " \n"}, "text"),
        ({"text": "mine " * 400}, "text"),
        ({"tokenizer": "unigram"}, "tokenizer"),
        ({"positions": "spiral"}, "positions"),
        ({"score": None}, "score"),
        ({"key_width": 0}, "key_width"),
        ({"speed": 3}, "speed"),
        ({"assignment": "images"}, "pictures"),
        ({"assignment": "images", "pictures": "../secret"}, "pictures"),
        ({"assignment": "images", "pictures": "0" * 64}, "pictures"),
        ({"pictures": "0" * 64}, "pictures"),
        ({"start": "tiny"}, "start"),
        ({"assignment": "dates", "start": "nobody"}, "start"),
        ({"assignment": "dates", "start": "tiny"}, "start"),
        ({"assignment": "text", "text": "mine " * 400, "start": "tiny", "length": 1000}, "length"),
        ({"assignment": "text", "text": "mine " * 400, "start": "tiny", "tokenizer_from": "tiny"}, "tokenizer_from"),
        ({"assignment": "text", "text": "mine " * 400, "tokenizer_from": "nobody"}, "tokenizer_from"),
        ({"assignment": "dates", "tokenizer_from": "tiny"}, "tokenizer_from"),
        ({"batch_tokens": 100}, "batch_tokens"),
        ({"assignment": "dates", "leaning": True}, "leaning"),
    ],
)
def test_plan_that_cannot_be_is_refused_by_its_field(
    client: Client, checkpoint: Checkpoint, changes: dict[str, Any], field: str
) -> None:
    answer = post(client, "trainings", {**PLAN, **changes})
    assert answer.status_code == 422 and answer.json()["error"]["field"] == field
    assert not Run.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_fine_tuning_has_the_sizes_of_its_start_and_the_job_says_where_that_lies(
    client: Client, checkpoint: Checkpoint, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.dispatch._send", lambda *_: True)
    checkpoint.manifest = {**checkpoint.manifest, "longest": 64, "layers": 5, "heads": 3, "width": 48}
    checkpoint.save()
    answer = post(client, "trainings", {**PLAN, "assignment": "text", "text": "mine " * 400, "start": checkpoint.id})
    assert answer.status_code == 201, answer.json()
    assert {name: answer.json()["plan"][name] for name in ("layers", "heads", "width")} == {
        "layers": 5,
        "heads": 3,
        "width": 48,
    }
    job = Run.objects.get().job()
    assert isinstance(job, TrainJob) and job.paths == {"start": checkpoint.path}
    assert TrainJob.from_json(job.to_json()) == job


def test_zip_is_stored_once_and_what_is_none_is_refused(client: Client, db: None) -> None:
    def send(content: bytes) -> Any:
        return client.post("/api/v1/archives", content, content_type="application/zip")

    told = [send(b"PK\x03\x04 and more").json() for _ in range(2)]
    assert told[0] == told[1] and archives.place(settings.DATA, told[0]["id"]).read_bytes() == b"PK\x03\x04 and more"
    for content in (b"", b"<svg>", b"PK"):
        refused = send(content)
        assert refused.status_code == 422 and refused.json()["error"]["field"] == "pictures"


def test_zip_longer_than_the_limit_is_refused(client: Client, db: None, settings: Any) -> None:
    settings.ARCHIVE_LIMIT_BYTES = 20
    answer = client.post("/api/v1/archives", b"PK\x03\x04" + bytes(20), content_type="application/zip")
    assert answer.status_code == 413 and answer.json()["error"]["limit"] == 20


def test_zip_is_removed_a_day_after_it_was_sent_unless_a_training_names_it(client: Client, db: None) -> None:
    used, unused = (archives.store(settings.DATA, b"PK\x03\x04" + bytes([n])) for n in range(2))
    Run.objects.create(kind="train", plan={"assignment": "images", "pictures": used})
    yesterday = time.time() - KEPT_S - 60
    for archive in (used, unused):
        os.utime(archives.place(settings.DATA, archive), (yesterday, yesterday))
    assert remove_unused_archives() == 1
    assert archives.place(settings.DATA, used).exists() and not archives.place(settings.DATA, unused).exists()


@pytest.mark.django_db(transaction=True)
def test_preset_is_a_whole_plan_that_can_be_started(
    client: Client, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.dispatch._send", lambda *_: True)
    presets = client.get("/api/v1/trainings/presets").json()["presets"]
    assert [plan["assignment"] for plan in presets] == list(ASSIGNMENTS)
    for plan in presets:
        assert set(plan) == {field.name for field in dataclasses.fields(TrainingPlan)}
        text = "a\tb\n" * 400 if plan["assignment"] in OF_A_TEXT else None
        pictures = archives.store(settings.DATA, b"PK") if plan["assignment"] == "images" else None
        assert post(client, "trainings", {**plan, "text": text, "pictures": pictures}).status_code == 201, plan


def test_orders_wait_where_the_trainer_looks(client: Client, training: Run, broker: redis.Redis) -> None:
    assert post(client, f"trainings/{training.id}/orders", {"action": "pause"}).status_code == 202
    assert (
        post(client, f"trainings/{training.id}/orders", {"action": "learning_rate", "factor": 0.5}).status_code == 202
    )
    waiting = [json.loads(order) for order in broker.lrange(keys.orders(training.id), 0, -1)]  # type: ignore[union-attr]
    assert waiting == [{"action": "pause"}, {"action": "learning_rate", "factor": 0.5}]
    refused = post(client, f"trainings/{training.id}/orders", {"action": "pause", "factor": 2})
    assert refused.status_code == 422
    training.state = "finished"
    training.save()
    assert post(client, f"trainings/{training.id}/orders", {"action": "go_on"}).status_code == 409


def test_training_that_waits_says_how_many_come_before_it(client: Client, training: Run) -> None:
    later = Run.objects.create(kind="train", plan=PLAN)
    places = [client.get(f"/api/v1/trainings/{run.id}").json()["place"] for run in (training, later)]
    assert places == [0, 1]
    training.state = "finished"
    training.save()
    assert client.get(f"/api/v1/trainings/{training.id}").json()["place"] is None


def test_text_that_is_learned_has_an_address_of_its_own(client: Client, training: Run) -> None:
    learned = Run.objects.create(kind="train", plan={"assignment": "text", "text": "once upon a time"})
    assert "text" not in client.get(f"/api/v1/trainings/{learned.id}").json()["plan"]
    assert client.get(f"/api/v1/trainings/{learned.id}/text").json() == {"text": "once upon a time"}
    assert client.get(f"/api/v1/trainings/{training.id}/text").status_code == 404


def test_training_has_a_page_and_a_run_that_trains_nothing_has_none(client: Client, training: Run, run: Run) -> None:
    assert training.id in client.get(f"/trainings/{training.id}").content.decode()
    assert client.get("/train").status_code == 200
    assert client.get(f"/trainings/{run.id}").status_code == 404
    assert client.get("/trainings/nothing").status_code == 404


def test_run_that_reads_a_text_is_no_training(client: Client, run: Run) -> None:
    assert client.get(f"/api/v1/trainings/{run.id}").status_code == 404


def test_model_of_a_finished_training_is_in_the_library(client: Client, training: Run) -> None:
    folder = trainings.model_folder(settings.DATA, training.id)
    folder.mkdir(parents=True)
    (folder / trainings.CARD).write_text(json.dumps({"name": "Trained: copy", "sentence": "It copies."}))
    (folder / trainings.MANIFEST).write_text(json.dumps(MANIFEST))
    for _ in range(2):
        keeper.record({"run": training.id, "attempt": 1, "event": "finished", "implementation": "cpu", "timings": {}})
    checkpoint = Checkpoint.objects.get()
    assert (checkpoint.name, checkpoint.manifest["heads"]) == ("Trained: copy", 2)
    assert client.get(f"/api/v1/trainings/{training.id}").json()["model"] == checkpoint.id


def test_training_that_waits_for_its_own_queue_is_not_sent_twice(
    training: Run, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing waited for the interactive workers, a training that did was taken for lost."""
    Run.objects.update(dispatched_at=timezone.now() - timedelta(seconds=60))
    keeper.dispatch.broker_came_back_empty()
    broker.rpush("train", "a job")
    keeper.send_waiting()
    training.refresh_from_db()
    assert training.attempt == 1
    broker.delete("train")
    monkeypatch.setattr("webapp.dispatch._send", lambda *_: True)
    keeper.send_waiting()
    training.refresh_from_db()
    assert training.attempt == 2


def test_site_and_worker_agree_on_what_a_plan_may_be() -> None:
    schema = PlanRequest.model_json_schema()["properties"]
    fields = {field.name: field for field in dataclasses.fields(TrainingPlan)}
    assert set(schema) == set(fields)
    assert tuple(schema["assignment"]["enum"]) == ASSIGNMENTS
    sets = {"OF_A_TEXT": OF_A_TEXT, "CUT_BY_CHOICE": CUT_BY_CHOICE, "PAIRED": PAIRED}
    for there, here in (sets | {"OF_PICTURES": OF_PICTURES, "STARTED": STARTED, "LEANING": LINES | {"text"}}).items():
        assert set(getattr(plan_checks, there)) == here, there
    assert plan_checks.PLAIN_ARCHITECTURE == PLAIN_ARCHITECTURE
    for name, field in fields.items():
        if field.default is not dataclasses.MISSING:
            assert schema[name].get("default") == field.default, name
    assert schema["key_width"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 256}
    assert LIMITS_OF_KEY_WIDTH == (1, 256)
    for name, choices in CHOICES.items():
        told = schema[name].get("enum") or [*schema[name]["anyOf"][0]["enum"], None]
        assert set(told) == set(choices), name
    for name, bounds in (LIMITS_OF_WHOLE | LIMITS_OF_REAL).items():
        assert (schema[name]["minimum"], schema[name]["maximum"]) == bounds, name


@pytest.mark.parametrize("state", [Run.State.FAILED, Run.State.CANCELLED])
@pytest.mark.django_db(transaction=True)
def test_training_that_ended_early_is_gone_on_with_from_its_checkpoint(
    client: Client, broker: redis.Redis, training: Run, state: str
) -> None:
    assert post(client, f"trainings/{training.id}/go_on", {}).json()["error"]["code"] == "not_ended"
    Run.objects.filter(pk=training.pk).update(state=state)
    refused = post(client, f"trainings/{training.id}/go_on", {})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "nothing_kept")

    kept = trainings.checkpoint(settings.DATA, training.id)
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"weights")
    assert client.get(f"/api/v1/trainings/{training.id}").json()["can_go_on"]
    answer = post(client, f"trainings/{training.id}/go_on", {"rate_factor": 0.5})
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert told["goes_on_from"] == training.id and told["plan"]["assignment"] == "copy" and not told["can_go_on"]
    assert trainings.checkpoint(settings.DATA, told["id"]).read_bytes() == b"weights"
    (order,) = broker.lrange(keys.orders(told["id"]), 0, -1)
    assert json.loads(order) == {"action": "learning_rate", "factor": 0.5}


def test_site_and_session_name_the_checkpoint_alike() -> None:
    from modelcore.training.session import LAST

    assert trainings.checkpoint(settings.DATA, "run").name == LAST
