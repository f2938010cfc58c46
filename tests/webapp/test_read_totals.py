"""Somebody asks for a map summed up, and a worker answers."""

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
from workers.protocol.jobs import TotalsJob

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[list[TotalsJob]]:
    """Answers the golden totals for the rows that it is asked for."""

    def answer(job: TotalsJob) -> bytes:
        event, arrays = GOLDEN["totals"]
        rows = {"received": arrays["received"], "entropy": arrays["entropy"][slice(*job.rows)]}
        return frame.encode(replace(event, head=job.head, rows=list(job.rows)), rows)

    with answering(broker, TotalsJob, answer) as asked:
        yield asked


@pytest.fixture
def url(run: Run) -> str:
    store(run, "started", "tokens", "site", "finished")
    return f"/api/v1/runs/{run.id}/maps/decoder.self.0/0/totals"


def test_whole_map_is_summed_up_where_no_rows_are_named(client: Client, url: str, worker: list[TotalsJob]) -> None:
    answer = client.get(url)
    assert answer.status_code == 200
    told = answer.json()
    assert (told["rows"], told["received"], told["entropy"]) == ([0, 3], [1.5, 1.0, 0.5], [0.0, 0.5, 1.0])
    assert "immutable" in answer["Cache-Control"]


def test_some_rows_are_summed_up_alone(client: Client, url: str, worker: list[TotalsJob]) -> None:
    told = client.get(url, {"rows": "1:3"}).json()
    assert (told["rows"], told["entropy"]) == ([1, 3], [0.5, 1.0])


@pytest.mark.parametrize(
    ("change", "rows", "status", "code"),
    [
        ("decoder.self.9/0", "", 404, "unknown_site"),
        ("decoder.self.0/2", "", 404, "unknown_head"),
        ("decoder.self.0/0", "0:4", 422, "bad_range"),
        ("decoder.self.0/0", "2", 422, "bad_range"),
    ],
)
def test_rows_that_are_not_there_are_refused(
    client: Client, url: str, change: str, rows: str, status: int, code: str
) -> None:
    answer = client.get(url.replace("decoder.self.0/0", change), {"rows": rows})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_more_than_a_worker_sums_up_at_once_is_refused_with_what_it_does(
    client: Client, url: str, settings: object
) -> None:
    settings.TOTALS_LIMIT_WEIGHTS = 7  # type: ignore[attr-defined]
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["limit"]) == (413, 2)


def test_nobody_waits_for_ever_for_an_absent_worker(
    client: Client, url: str, broker: redis.Redis, settings: object
) -> None:
    settings.TILE_WAIT_S = 0.2  # type: ignore[attr-defined]
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "workers_away")
