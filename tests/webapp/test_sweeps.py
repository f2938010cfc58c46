"""Somebody starts a sweep, reads its table as it fills, and stops it."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client

from modelcore.training.costs import Machine
from webapp.runs.models import Run, Sweep

PLAN = {"assignment": "dates", "steps": 20}
LIMIT = 2 * 10**9


def post(client: Client, address: str, body: dict[str, Any]) -> Any:
    return client.post(f"/api/v1/{address}", body, content_type="application/json")


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    runs: list[str] = []
    monkeypatch.setattr("webapp.dispatch._send", lambda task, job, *_: runs.append(job.run) or True)
    return runs


def started(client: Client, kind: str = "table3", rows: list[str] | None = None, **plan: Any) -> dict[str, Any]:
    answer = post(client, "sweeps", {"kind": kind, "plan": {**PLAN, **plan}, "rows": rows})
    assert answer.status_code == 201, answer.json()
    told: dict[str, Any] = answer.json()
    return told


def finish(run: str, loss: float, parameters: int = 1000, tokens: int = 1000) -> None:
    result = {"parameters": parameters, "tokens": tokens, "seconds": 1.0, "metrics": {"loss": loss}}
    Run.objects.filter(pk=run).update(state="finished", result=result)


@pytest.mark.django_db(transaction=True)
def test_sweep_is_a_training_for_each_row(client: Client, broker: redis.Redis, sent: list[str]) -> None:
    told = started(client, rows=["base", "1 head", "positions none"])
    assert [row["name"] for row in told["rows"]] == ["base", "1 head", "positions none"]
    assert sent == [row["id"] for row in told["rows"]]
    plans = [Run.objects.get(pk=run).plan or {} for run in sent]
    assert [plan["heads"] for plan in plans] == [4, 1, 4] and plans[2]["positions"] == "none"
    (listed,) = client.get("/api/v1/sweeps").json()["sweeps"]
    assert (listed["id"], listed["rows"], listed["ended"]) == (told["id"], 3, 0)
    assert client.get(told["page"]).status_code == 200 and client.get("/sweeps/nothing").status_code == 404


@pytest.mark.django_db(transaction=True)
def test_table_fills_as_rows_end_and_is_relative_to_the_base(
    client: Client, broker: redis.Redis, sent: list[str]
) -> None:
    told = started(client, rows=["base", "1 head"])
    base, single = sent
    finish(single, 0.75)
    rows = client.get(f"/api/v1/sweeps/{told['id']}").json()["rows"]
    assert rows[0]["metrics"] is None and rows[1]["metrics"] == {"loss": 0.75} and rows[1]["relative"] is None
    finish(base, 0.25)
    rows = client.get(f"/api/v1/sweeps/{told['id']}").json()["rows"]
    assert rows[1]["relative"] == {"loss": 0.5} and rows[0]["relative"] is None


@pytest.mark.django_db(transaction=True)
def test_scaling_sweep_has_a_law_once_enough_rows_ended(client: Client, broker: redis.Redis, sent: list[str]) -> None:
    told = started(client, kind="scaling")
    for number, row in enumerate(told["rows"]):
        assert client.get(f"/api/v1/sweeps/{told['id']}").json()["law"] is None or number >= 6
        parameters, tokens = row["changes"]["width"] ** 2, 64 * row["changes"]["steps"]
        finish(row["id"], 1 + 40 / parameters**0.5 + 30 / tokens**0.5, parameters, tokens)
    law = client.get(f"/api/v1/sweeps/{told['id']}").json()["law"]
    assert law["irreducible"] == pytest.approx(1.0, abs=0.05) and law["size_exponent"] == pytest.approx(0.5, abs=0.05)
    assert len(law["optima"]) == 9


@pytest.mark.django_db(transaction=True)
def test_sweep_is_stopped_as_one(client: Client, broker: redis.Redis, sent: list[str]) -> None:
    told = started(client, rows=["base", "1 head", "16 heads"])
    finish(sent[0], 0.5)
    assert post(client, f"sweeps/{told['id']}/cancel", {}).status_code == 200
    assert [run.state for run in Run.objects.order_by("created_at")] == ["finished", "cancelled", "cancelled"]
    assert post(client, f"sweeps/{told['id']}/cancel", {}).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"kind": "random", "plan": PLAN}, "kind"),
        ({"kind": "table3", "plan": {**PLAN, "heads": 3}}, "heads"),
        ({"kind": "table3", "plan": PLAN, "rows": ["2 tails"]}, "rows"),
        ({"kind": "table3", "plan": PLAN, "speed": 1}, "speed"),
    ],
)
def test_sweep_that_cannot_be_begins_no_row(client: Client, db: None, body: dict[str, Any], field: str) -> None:
    answer = post(client, "sweeps", body)
    assert answer.status_code == 422 and answer.json()["error"]["field"] == field
    assert not Sweep.objects.exists() and not Run.objects.exists()


def test_rows_are_told_before_anything_is_started(client: Client, db: None) -> None:
    rows = post(client, "sweeps/variants", {"kind": "scaling", "plan": PLAN}).json()["rows"]
    assert len(rows) == 12 and not Run.objects.exists()


def test_plan_that_does_not_fit_the_trainer_is_refused_with_the_number(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.runs.planning.best_machine", lambda: Machine(memory_bytes=LIMIT))
    monkeypatch.setattr("webapp.api.sweeps.best_machine", lambda: Machine(memory_bytes=LIMIT))
    large = {**PLAN, "width": 1024, "layers": 24}
    for address, body in (("trainings", large), ("sweeps", {"kind": "table3", "plan": large})):
        error = post(client, address, body).json()["error"]
        assert (error["code"], error["field"], error["limit"]) == ("plan_does_not_fit", "width", int(0.9 * LIMIT))
    assert not Run.objects.exists()
    told = post(client, "trainings/estimate", large).json()
    assert told["misfit"]["field"] == "width" and told["misfit"]["needed"] == told["memory_bytes"]
    assert post(client, "trainings/estimate", PLAN).json()["misfit"] is None


def test_estimate_is_for_the_largest_trainer_that_lives(
    client: Client, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.stream.living", lambda _: [])
    told = post(client, "trainings/estimate", PLAN).json()
    assert told["seconds"] is None and told["parameters"] > 100_000
    beats = [
        {"machine": {"flops_per_s": rate, "memory_bytes": memory, "disk_free_bytes": 10**12}}
        for rate, memory in ((1e9, 10**9), (1e10, 10**10))
    ]
    monkeypatch.setattr("webapp.stream.living", lambda _: [{}, *beats])
    told = post(client, "trainings/estimate", PLAN).json()
    assert told["machine"]["flops_per_s"] == 1e10 and told["seconds"] > 0
    assert told["watt_hours"] == pytest.approx(told["seconds"] * told["machine"]["watts"] / 3600)
