"""Somebody asks what is strong enough in the rows of a map, and a worker answers."""

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
from workers.protocol.jobs import FloorsJob

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[list[FloorsJob]]:
    """Answers the golden floors for the rows that it is asked for."""

    def answer(job: FloorsJob) -> bytes:
        event, arrays = GOLDEN["floors"]
        told = replace(event, head=job.head, rows=list(job.rows), mass=job.mass)
        return frame.encode(told, {"floors": arrays["floors"][slice(*job.rows)]})

    with answering(broker, FloorsJob, answer) as asked:
        yield asked


@pytest.fixture
def url(run: Run) -> str:
    store(run, "started", "tokens", "site", "finished")
    return f"/api/v1/runs/{run.id}/maps/decoder.self.0/0/floors"


def test_floors_of_all_rows_are_told_where_none_are_named(client: Client, url: str, worker: list[FloorsJob]) -> None:
    answer = client.get(url, {"mass": "0.75"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["rows"], told["mass"], told["floors"]) == ([0, 3], 0.75, [1.0, 0.5, 0.25])
    assert "immutable" in answer["Cache-Control"]
    assert worker[0].mass == 0.75


def test_floors_of_some_rows_are_told_alone(client: Client, url: str, worker: list[FloorsJob]) -> None:
    told = client.get(url, {"mass": "0.5", "rows": "1:3"}).json()
    assert (told["rows"], told["floors"]) == ([1, 3], [0.5, 0.25])


@pytest.mark.parametrize("mass", ["", "0", "-0.5", "1.5", "nan", "inf", "half"])
def test_share_that_is_none_is_refused_by_name(client: Client, url: str, mass: str) -> None:
    answer = client.get(url, {"mass": mass})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "mass")


@pytest.mark.parametrize(
    ("change", "rows", "status", "code"),
    [
        ("decoder.self.9/0", "", 404, "unknown_site"),
        ("decoder.self.0/2", "", 404, "unknown_head"),
        ("decoder.self.0/0", "0:4", 422, "bad_range"),
    ],
)
def test_rows_that_are_not_there_are_refused(
    client: Client, url: str, change: str, rows: str, status: int, code: str
) -> None:
    answer = client.get(url.replace("decoder.self.0/0", change), {"mass": "0.5", "rows": rows})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_more_than_a_worker_sorts_at_once_is_refused_with_what_it_does(
    client: Client, url: str, settings: object
) -> None:
    settings.TOTALS_LIMIT_WEIGHTS = 7  # type: ignore[attr-defined]
    answer = client.get(url, {"mass": "0.5"})
    assert (answer.status_code, answer.json()["error"]["limit"]) == (413, 2)


def test_nobody_waits_for_ever_for_an_absent_worker(
    client: Client, url: str, broker: redis.Redis, settings: object
) -> None:
    settings.TILE_WAIT_S = 0.2  # type: ignore[attr-defined]
    answer = client.get(url, {"mass": "0.5"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "workers_away")
