"""The doctor finds what is broken, and says what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection

from webapp.supervise import doctor
from workers.protocol import keys
from workers.protocol.jobs import QUEUE, TRAIN_QUEUE


def told() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for finding in doctor.findings():
        found.setdefault(finding.part, []).append((finding.state, finding.words))
    return found


def beat(server: redis.Redis, name: str, **about: Any) -> None:
    pulse = {"name": name, "device": "cpu", "implementation": "cpu", "queues": [QUEUE], **about}
    server.set(keys.worker(name), json.dumps(pulse))


@pytest.mark.django_db
def test_site_that_is_whole_has_nothing_broken(broker: redis.Redis) -> None:
    server = broker
    server.set(keys.EPOCH, "1")
    beat(server, "one")
    beat(server, "two", queues=[TRAIN_QUEUE])
    found = told()
    assert found["database"][0][0] == "ok" and found["storage"][0][0] != "broken"
    assert [state for state, _ in found["workers"]] == ["ok", "ok"] and "recorder" not in found


@pytest.mark.django_db
def test_missing_workers_and_recorder_are_named_with_their_commands(broker: redis.Redis) -> None:
    found = told()
    assert [state for state, _ in found["workers"]] == ["broken", "warning"]
    assert "./run --workers 1" in found["workers"][0][1] and "manage.py record" in found["recorder"][0][1]


@pytest.mark.django_db
def test_gpu_without_our_kernels_is_a_warning(broker: redis.Redis) -> None:
    beat(broker, "gpu", device="cuda", implementation="reference")
    assert told()["kernels"] == [
        ("warning", "gpu has a GPU and does not use our kernels on it: pip install triton, and see its log.")
    ]


@pytest.mark.django_db
def test_broker_that_is_away_is_said(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    ((state, words),) = told()["broker"]
    assert state == "broken" and "correct REDIS_URL" in words


@pytest.mark.django_db
def test_database_that_is_away_full_disk_and_open_folder_are_said(
    broker: redis.Redis, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    def away() -> None:
        raise OperationalError("connection refused\nmore")

    monkeypatch.setattr(connection, "ensure_connection", away)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**12, free=10**8, used=0))
    tmp_path.chmod(0o755)
    settings.DATA = tmp_path
    found = told()
    assert found["database"] == [
        ("broken", "sqlite3 does not answer: connection refused. Check DATABASE_URL, and that it runs.")
    ]
    assert [words.split(" ")[0] for _, words in found["storage"]] == ["Only", "Others"]
