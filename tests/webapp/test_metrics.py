"""Whoever watches the site reads its numbers, and finds one run in what web, worker and browser logged."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any

import pytest
import redis
from django.test import Client

from tests.webapp.test_administration import beat
from webapp import dispatch
from webapp.record.fleet_rows import FleetRows
from webapp.runs.models import Run
from workers.protocol.log_lines import JsonLines, about_run

pytestmark = pytest.mark.django_db
RUN = "abcdefghijklmnopqrstuvwxyz"


def test_numbers_tell_runs_queues_workers_and_the_broker(broker: redis.Redis, client: Client, run: Run) -> None:
    beat(broker, sizes_bytes={"tiny": 1234}, running=[{"run": run.id, "attempt": 1}])
    FleetRows().write()
    told = client.get("/metrics").content.decode()
    for line in (
        'headlight_runs{state="queued"} 1.0',
        'headlight_queue_waiting{queue="interactive"} 1.0',
        'headlight_worker_up{device="cpu",worker="one"} 1.0',
        'headlight_worker_running{worker="one"} 1.0',
        'headlight_worker_model_bytes{model="tiny",worker="one"} 1234.0',
        'headlight_worker_power_watts{worker="one"} 210.0',
        "headlight_broker_up 1.0",
    ):
        assert line in told, line
    assert "process_resident_memory_bytes" in told


def test_numbers_are_told_while_the_broker_is_away(client: Client, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    def away(*_: object) -> int:
        raise redis.ConnectionError

    monkeypatch.setattr(dispatch, "queue_length", away)
    told = client.get("/metrics").content.decode()
    assert "headlight_broker_up 0.0" in told and 'headlight_runs{state="queued"} 1.0' in told


def test_numbers_are_for_this_machine_or_for_whoever_has_the_token(client: Client, settings: Any) -> None:
    assert client.get("/metrics", REMOTE_ADDR="203.0.113.9").status_code == 401
    assert client.get("/metrics", headers={"x-forwarded-for": "203.0.113.9"}).status_code == 401
    assert client.get("/metrics", REMOTE_ADDR="").status_code == 401
    settings.METRICS_TOKEN = "hush"
    assert client.get("/metrics").status_code == 401
    for wrong in ("Bearer wrong", "hush", "Bearer hüsh"):
        assert client.get("/metrics", headers={"authorization": wrong}).status_code == 401
    given = {"authorization": "Bearer hush"}
    assert client.get("/metrics", headers=given, REMOTE_ADDR="203.0.113.9").status_code == 200
    assert client.post("/metrics", headers=given).status_code == 405


def test_line_of_json_says_when_where_about_which_run_and_what_went_wrong() -> None:
    try:
        raise ValueError("so")
    except ValueError:
        record = logging.LogRecord("a.b", logging.ERROR, "", 1, "run %s\nfailed", ("x",), sys.exc_info())
    with about_run(RUN):
        line = JsonLines("worker").format(record)
    assert "\n" not in line
    told = json.loads(line)
    expected = {"level": "ERROR", "part": "worker", "logger": "a.b", "message": "run x\nfailed", "run": RUN}
    assert {name: told[name] for name in expected} == expected
    assert "ValueError: so" in told["error"]
    assert told["at"].startswith(time.strftime("%Y-", time.gmtime(record.created)))
    assert "run" not in json.loads(JsonLines().format(record))


def test_request_is_logged_with_its_run_and_without_what_people_wrote(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.LOGS = "json"
    with caplog.at_level(logging.INFO, "webapp.administration.request_log"):
        client.get(f"/api/v1/runs/{RUN}?text=secret")
        client.get("/healthz")
    (record,) = caplog.records
    assert record.getMessage() == f"GET /api/v1/runs/{RUN}" and record.told["status"] == 404  # type: ignore[attr-defined]


def test_error_of_a_page_is_logged_beside_its_run_but_not_without_end(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"message": "TypeError: x\nis undefined", "place": "explore.js:1:2", "run": RUN}
    with caplog.at_level(logging.WARNING, "browser"):
        for _ in range(30):
            assert client.post("/api/v1/page-errors", body, content_type="application/json").status_code == 204
    assert len(caplog.records) == 20
    assert caplog.records[0].getMessage() == "TypeError: x is undefined (explore.js:1:2)"
    assert caplog.records[0].run == RUN  # type: ignore[attr-defined]
    for wrong in ({**body, "run": "../../etc"}, {**body, "message": "x" * 501}):
        assert client.post("/api/v1/page-errors", wrong, content_type="application/json").status_code == 422
