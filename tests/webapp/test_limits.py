"""Somebody asks for more than she may use, and is told when to come back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.webapp.conftest import store
from tests.webapp.people import client_of, person
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol.jobs import TraceJob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("sent")]


@pytest.fixture
def ada(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Person:
    cache.clear()
    member = {"runs_a_minute": 3, "running": 1, "queued": 1, "storage_bytes": 1000, "training_minutes": 10}
    monkeypatch.setattr(settings, "LIMITS", {**settings.LIMITS, "member": member, "visitor": member})
    return person("ada")


def submit(client: Client, **headers: str) -> Any:
    body = {"model": "tiny", "text": "So it goes."}
    return client.post("/api/v1/runs", body, content_type="application/json", headers=headers)


def end_all() -> None:
    Run.objects.update(state="finished")


def test_runs_a_minute(ada: Person) -> None:
    client = client_of(ada)
    for left in (2, 1, 0):
        answer = submit(client)
        assert (answer.status_code, answer["RateLimit-Limit"], answer["RateLimit-Remaining"]) == (201, "3", str(left))
        end_all()
    refused = submit(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_runs")
    assert 1 <= int(refused["Retry-After"]) <= 60 and refused["RateLimit-Remaining"] == "0"
    assert Run.objects.count() == 3
    Run.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert submit(client).status_code == 201


def test_jobs_at_once(ada: Person) -> None:
    client = client_of(ada)
    assert [submit(client).status_code for _ in range(3)] == [201, 201, 429]
    assert submit(client_of(person("bob"))).status_code == 201  # Each has her own.


def test_storage(ada: Person) -> None:
    client = client_of(ada)
    assert submit(client).status_code == 201
    end_all()
    store(Run.objects.get(), "started", "tokens", "site", "finished")
    cache.clear()  # As a minute later.
    refused = submit(client)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "storage_full")
    client.delete(f"/api/v1/runs/{Run.objects.get().id}")
    assert submit(client).status_code == 201


def test_minutes_of_training(ada: Person) -> None:
    now = timezone.now()
    plan = {"assignment": "copy"}
    Run.objects.create(
        kind="train", plan=plan, owner=ada, state="finished", started_at=now - timedelta(minutes=10), ended_at=now
    )
    answer = client_of(ada).post("/api/v1/trainings", plan, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "training_used_up")


def test_ones_own_machine_has_no_limits(ada: Person) -> None:
    assert [submit(Client()).status_code for _ in range(5)] == [201] * 5


def test_visitors_of_a_site_for_others_are_counted_by_their_address(
    ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "OWN_MACHINE", False)
    here, there = Client(REMOTE_ADDR="192.0.2.1"), Client(REMOTE_ADDR="192.0.2.2")
    assert [submit(here).status_code for _ in range(3)] == [201, 201, 429]
    assert submit(there).status_code == 201
    assert "192.0.2.1" not in str(Run.objects.values())


def test_request_that_comes_twice_with_a_key_is_done_once(ada: Person, sent: list[TraceJob]) -> None:
    client = client_of(ada)
    first, second = (submit(client, idempotency_key="k 1".replace(" ", "-")) for _ in range(2))
    assert first.json() == second.json() and second["Idempotency-Replayed"] == "true"
    assert Run.objects.count() == 1
    assert submit(client_of(person("bob")), idempotency_key="k-1").json() != first.json()


def test_key_of_another_request_is_refused(ada: Person) -> None:
    client = client_of(ada)
    submit(client, idempotency_key="k")
    other = {"model": "tiny", "text": "Other."}
    answer = client.post("/api/v1/runs", other, content_type="application/json", headers={"idempotency_key": "k"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "key_used")


def test_refused_request_may_be_tried_again_with_its_key(ada: Person) -> None:
    client = client_of(ada)
    bad = {"model": "tiny", "text": ""}
    for _ in range(2):
        answer = client.post("/api/v1/runs", bad, content_type="application/json", headers={"idempotency_key": "k"})
        assert answer.json()["error"]["code"] == "empty_text"
