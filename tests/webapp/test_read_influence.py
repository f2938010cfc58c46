"""Somebody asks for another reading of a map, and a worker answers, or the site says why there is none."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import redis
from django.test import Client

from tests.webapp.conftest import answering, store
from tests.workers.golden_frames import GOLDEN
from webapp.api.router import api
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol import frame
from workers.protocol.jobs import InfluenceJob

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[list[InfluenceJob]]:
    """Answers the golden values, with the names of what it was asked for."""

    def answer(job: InfluenceJob) -> bytes:
        event, arrays = GOLDEN["influence"]
        told = replace(event, reading=job.reading, rows=list(job.rows), position=job.position, token=job.token)
        return frame.encode(told, arrays)

    with answering(broker, InfluenceJob, answer) as asked:
        yield asked


@pytest.fixture
def url(run: Run) -> str:
    store(run, "started", "tokens", "site", "finished")
    return f"/api/v1/runs/{run.id}/maps/decoder.self.0/1"


def refusal(answer: Any) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["field"]


def test_gradient_names_the_output_that_it_is_of(client: Client, url: str, worker: list[InfluenceJob]) -> None:
    query = {"reading": "gradient", "position": 2, "token": 7, "rows": "1:3", "cols": "0:2"}
    told = client.get(url, query).json()
    assert told["weights"] == [[0.5, 0.0], [-0.25, 0.125]]
    assert (told["reading"], told["position"], told["token"], told["logit"]) == ("gradient", 2, 7, 1.5)
    assert (worker[0].reading, worker[0].position, worker[0].token, worker[0].head) == ("gradient", 2, 7, 1)


def test_other_readings_come_as_npy_too(client: Client, url: str, worker: list[InfluenceJob]) -> None:
    answer = client.get(url, {"reading": "value", "rows": "1:3"}, headers={"accept": "application/x-npy"})
    assert np.load(io.BytesIO(answer.content), allow_pickle=False).tolist() == [[0.5, 0.0], [-0.25, 0.125]]
    assert "immutable" in answer["Cache-Control"]
    assert (worker[0].reading, worker[0].rows, worker[0].position) == ("value", (1, 3), None)


def test_flow_is_of_one_row(client: Client, url: str, worker: list[InfluenceJob]) -> None:
    assert refusal(client.get(url, {"reading": "flow"})) == (422, "one_row", "rows")
    assert client.get(url, {"reading": "flow", "rows": "2:3"}).json()["rows"] == [2, 3]


@pytest.mark.parametrize(
    ("query", "status", "code", "field"),
    [
        ({"reading": "values"}, 422, "bad_field", "reading"),
        ({"reading": "gradient", "position": 3}, 422, "bad_position", "position"),
        ({"reading": "gradient", "position": -1}, 422, "bad_position", "position"),
        ({"reading": "gradient", "token": 512}, 422, "bad_token", "token"),
        ({"reading": "gradient", "token": "cat"}, 422, "bad_field", "token"),
        ({"reading": "value", "token": 7}, 422, "no_output", "position"),
        ({"position": 1}, 422, "no_output", "position"),
    ],
)
def test_reading_that_is_not_there_is_refused(
    client: Client, url: str, query: dict[str, Any], status: int, code: str, field: str
) -> None:
    assert refusal(client.get(url, query)) == (status, code, field)


def test_model_that_scores_nothing_has_no_output_to_follow(client: Client, url: str, checkpoint: Checkpoint) -> None:
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "output": "hidden"})
    assert refusal(client.get(url, {"reading": "gradient"})) == (409, "no_scores", "reading")


def test_classifier_of_the_whole_has_no_positions(client: Client, url: str, checkpoint: Checkpoint) -> None:
    Checkpoint.objects.update(manifest={**checkpoint.manifest, "output": "classes"})
    assert refusal(client.get(url, {"reading": "gradient", "position": 0})) == (422, "bad_position", "position")


def test_text_that_is_too_long_is_refused_with_what_is_read(
    client: Client, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.api.influence.FLOW_TOKENS", 2)
    monkeypatch.setattr("webapp.api.influence.ROLLOUT_ROWS", 2)
    flow, rollout = (client.get(url, {"reading": reading}) for reading in ("flow", "rollout"))
    assert refusal(flow) == (413, "too_long_for_flow", "reading") and flow.json()["error"]["limit"] == 2
    assert refusal(rollout) == (413, "too_many_rows", "rows")
    monkeypatch.setattr("webapp.api.influence.ROLLOUT_WEIGHTS", 2 * 3 * 3 // 2 - 1)
    rollout = client.get(url, {"reading": "rollout", "rows": "0:1"})
    assert refusal(rollout) == (413, "too_long_for_rollout", "reading")


def test_cross_attention_has_no_rollout(client: Client, run: Run) -> None:
    event, arrays = GOLDEN["site"]
    GOLDEN["cross"] = replace(event, site="decoder.cross.0", kind="cross"), arrays  # type: ignore[call-arg]
    try:
        store(run, "started", "tokens", "cross", "finished")
    finally:
        del GOLDEN["cross"]
    url = f"/api/v1/runs/{run.id}/maps/decoder.cross.0/0"
    for reading in ("rollout", "flow"):
        answer = client.get(url, {"reading": reading, "rows": "0:1"})
        assert refusal(answer) == (422, "no_self_attention", "reading")


def test_readings_are_described_with_their_sources() -> None:
    described = api.get_openapi_schema()["paths"]["/api/v1/runs/{run_id}/maps/{site}/{head}"]["get"]
    reading = next(parameter for parameter in described["parameters"] if parameter["name"] == "reading")
    assert reading["schema"]["default"] == "attention"
    for words in ("Kobayashi", "Chefer", "Abnar"):
        assert words in described["description"]
