"""Somebody asks for one weight of a map taken apart, and a worker answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from django.test import Client

from tests.webapp.conftest import answering, store
from tests.workers.golden_frames import GOLDEN
from webapp.runs.models import Run
from workers.protocol import frame
from workers.protocol.events import Failed
from workers.protocol.jobs import PairJob

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[list[PairJob]]:
    """Answers the golden pair at the place that it is asked for; a head 1 it refuses."""

    def answer(job: PairJob) -> bytes:
        if job.head == 1:
            return frame.encode(Failed(code="checkpoint_refused", message="The weights are gone."))
        event, arrays = GOLDEN["pair"]
        return frame.encode(replace(event, head=job.head, row=job.row, col=job.col), arrays)

    with answering(broker, PairJob, answer) as asked:
        yield asked


@pytest.fixture
def url(run: Run) -> str:
    store(run, "started", "tokens", "site", "finished")
    return f"/api/v1/runs/{run.id}/pairs/decoder.self.0/0"


def test_pair_is_told_part_by_part(client: Client, url: str, worker: list[PairJob]) -> None:
    answer = client.get(url, {"row": 2, "col": 1})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["row"], told["col"], told["rule"], told["turned"]) == (2, 1, "dot", None)
    assert (told["query"], told["key"], told["products"]) == ([1.0, -1.0], [0.5, 2.0], [0.5, -2.0])
    assert (told["product"], told["scale"], told["scaled"]) == (-1.5, 0.5, -0.75)
    assert told["biases"] == {"alibi": -0.25}
    assert (told["hidden_by"], told["score"], told["weight"]) == (["window"], None, 0.0)
    assert told["strongest"] == [{"key": 2, "weight": 1.0}]
    assert "immutable" in answer["Cache-Control"]
    assert [(job.row, job.col) for job in worker] == [(2, 1)]


def test_worker_that_cannot_says_why(client: Client, url: str, worker: list[PairJob]) -> None:
    answer = client.get(url[:-1] + "1", {"row": 0, "col": 0})
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "The weights are gone.")


@pytest.mark.parametrize(
    ("change", "query", "status", "code"),
    [
        ("decoder.self.9/0", {"row": 0, "col": 0}, 404, "unknown_site"),
        ("decoder.self.0/2", {"row": 0, "col": 0}, 404, "unknown_head"),
        ("decoder.self.0/0", {"row": 3, "col": 0}, 422, "bad_row"),
        ("decoder.self.0/0", {"row": -1, "col": 0}, 422, "bad_row"),
        ("decoder.self.0/0", {"row": 0, "col": 3}, 422, "bad_col"),
    ],
)
def test_pair_that_is_not_there_is_refused(
    client: Client, url: str, change: str, query: dict[str, int], status: int, code: str
) -> None:
    answer = client.get(url.replace("decoder.self.0/0", change), query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize("query", [{}, {"row": 1}, {"row": "first", "col": 0}])
def test_pair_without_both_places_is_refused(client: Client, url: str, query: dict[str, object]) -> None:
    assert client.get(url, query).status_code == 422


def test_unknown_run_is_refused(client: Client, db: None) -> None:
    answer = client.get("/api/v1/runs/nobody/pairs/decoder.self.0/0", {"row": 0, "col": 0})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_run")


def test_nobody_waits_for_ever_for_an_absent_worker(
    client: Client, url: str, broker: redis.Redis, settings: object
) -> None:
    settings.TILE_WAIT_S = 0.2  # type: ignore[attr-defined]
    answer = client.get(url, {"row": 0, "col": 0})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "workers_away")
