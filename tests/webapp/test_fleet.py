"""A person sees which models are at hand, and how many wait before her."""

from __future__ import annotations

import json

import pytest
import redis
from django.test import Client

from tests.webapp.conftest import store
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from webapp.runs.submit import submit_trace
from workers.protocol import keys


def beat(broker: redis.Redis, name: str, models: dict[str, str]) -> None:
    broker.set(keys.worker(name), json.dumps({"name": name, "running": [], "models": models}))


def state_of(client: Client) -> str:
    return client.get("/api/v1/models").json()["models"][0]["state"]


def test_model_is_cold_until_a_worker_has_it(broker: redis.Redis, client: Client, checkpoint: Checkpoint) -> None:
    assert client.get("/api/v1/models").json()["workers"] == 0
    assert state_of(client) == "cold"
    beat(broker, "one", {"tiny": "loading"})
    assert state_of(client) == "loading"
    beat(broker, "two", {"tiny": "ready"})
    assert state_of(client) == "ready"
    assert client.get("/api/v1/models").json()["workers"] == 2


def test_worker_of_an_older_release_tells_no_models(
    broker: redis.Redis, client: Client, checkpoint: Checkpoint
) -> None:
    broker.set(keys.worker("old"), json.dumps({"name": "old", "running": []}))
    assert state_of(client) == "cold"


def test_queued_run_tells_its_place_and_whether_anybody_works(
    broker: redis.Redis, client: Client, checkpoint: Checkpoint
) -> None:
    runs = [submit_trace(checkpoint, text=f"text {n}") for n in range(3)]
    answers = [client.get(f"/api/v1/runs/{run.id}").json() for run in runs]
    assert [answer["place"] for answer in answers] == [0, 1, 2]
    assert answers[0]["workers"] == 0
    Run.objects.filter(pk=runs[0].pk).update(state="running")
    assert client.get(f"/api/v1/runs/{runs[0].id}").json()["place"] is None
    assert client.get(f"/api/v1/runs/{runs[2].id}").json()["place"] == 1


@pytest.mark.usefixtures("checkpoint")
def test_models_are_listed_while_the_broker_is_away(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr("webapp.stream.workers", away)
    assert state_of(client) == "cold"


def test_run_that_has_ended_has_no_place_though_the_recorder_has_not_heard(
    broker: redis.Redis, client: Client, run: Run
) -> None:
    assert client.get(f"/api/v1/runs/{run.id}").json()["place"] == 0
    store(run, "started", "finished")
    answer = client.get(f"/api/v1/runs/{run.id}").json()
    assert (answer["state"], answer["place"]) == ("finished", None)


def test_model_tells_its_size_and_what_it_gives(broker: redis.Redis, client: Client, checkpoint: Checkpoint) -> None:
    (model,) = client.get("/api/v1/models").json()["models"]
    told = {name: model[name] for name in ("parameters", "size_bytes", "output", "pairs")}
    assert told == {
        **{name: checkpoint.manifest[name] for name in ("parameters", "size_bytes", "output")},
        "pairs": False,
    }
