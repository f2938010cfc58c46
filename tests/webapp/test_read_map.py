"""Somebody asks for a rectangle of a map, and a worker answers."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
import redis
from django.test import Client

from tests.webapp.conftest import answering, store
from webapp.runs.models import Run
from workers.protocol import frame
from workers.protocol.events import Failed, Tile
from workers.protocol.jobs import TileJob

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[list[TileJob]]:
    """Answers row + column / 100; a head 1 it refuses."""

    def answer(job: TileJob) -> bytes:
        if job.head == 1:
            return frame.encode(Failed(code="checkpoint_refused", message="The weights are gone."))
        rows, cols = np.arange(*job.rows)[:: job.cell], np.arange(*job.cols)[:: job.cell]
        weights = (rows[:, None] + cols / 100).astype(np.float32)
        rule = "exact" if job.cell == 1 else "max"
        event = Tile(
            site=job.site,
            head=job.head,
            rows=list(job.rows),
            cols=list(job.cols),
            cell=job.cell,
            rule=rule,
            implementation="cpu",
        )
        return frame.encode(event, {"weights": weights})

    with answering(broker, TileJob, answer) as asked:
        yield asked


@pytest.fixture
def url(run: Run) -> str:
    store(run, "started", "tokens", "site", "finished")
    return f"/api/v1/runs/{run.id}/maps/decoder.self.0/0"


def test_rectangle_as_json(client: Client, url: str, worker: list[TileJob]) -> None:
    answer = client.get(url, {"rows": "1:3", "cols": "0:2"})
    assert answer.status_code == 200
    told = answer.json()
    assert np.allclose(told["weights"], [[1.0, 1.01], [2.0, 2.01]])
    assert (told["rows"], told["cols"], told["rule"], told["implementation"]) == ([1, 3], [0, 2], "exact", "cpu")
    assert "immutable" in answer["Cache-Control"]


def test_rectangle_as_npy(client: Client, url: str, worker: list[TileJob]) -> None:
    answer = client.get(url, {"rows": "0:3"}, headers={"accept": "application/x-npy"})
    assert answer["Content-Type"] == "application/x-npy"
    weights = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert weights.dtype == np.float32 and weights.shape == (3, 3)


def test_whole_map_where_no_rectangle_is_named(client: Client, url: str, worker: list[TileJob]) -> None:
    assert np.shape(client.get(url).json()["weights"]) == (3, 3)


def test_pooled_rectangle_says_its_rule(client: Client, url: str, worker: list[TileJob]) -> None:
    told = client.get(url, {"cell": 2}).json()
    assert (told["rule"], told["cell"], np.shape(told["weights"])) == ("max", 2, (2, 2))


def test_worker_that_cannot_says_why(client: Client, url: str, worker: list[TileJob]) -> None:
    answer = client.get(url[:-1] + "1")
    assert (answer.status_code, answer.json()["error"]["message"]) == (409, "The weights are gone.")


@pytest.mark.parametrize(
    ("change", "query", "status", "code"),
    [
        ("decoder.self.9/0", {}, 404, "unknown_site"),
        ("decoder.self.0/2", {}, 404, "unknown_head"),
        ("decoder.self.0/0", {"rows": "0:4"}, 422, "bad_range"),
        ("decoder.self.0/0", {"rows": "2:1"}, 422, "bad_range"),
        ("decoder.self.0/0", {"cols": "-1:2"}, 422, "bad_range"),
        ("decoder.self.0/0", {"cols": "1"}, 422, "bad_range"),
        ("decoder.self.0/0", {"cols": "٠:٢"}, 422, "bad_range"),
        ("decoder.self.0/0", {"cols": "0:" + "9" * 5000}, 422, "bad_range"),  # int() refuses so many digits
        ("decoder.self.0/0", {"cell": "3"}, 422, "bad_cell"),
        ("decoder.self.0/0", {"cell": "0"}, 422, "bad_cell"),
        ("decoder.self.0/0", {"cell": "2", "rows": "1:3"}, 422, "bad_range"),
    ],
)
def test_rectangle_that_is_not_there_is_refused(
    client: Client, url: str, change: str, query: dict[str, str], status: int, code: str
) -> None:
    answer = client.get(url.replace("decoder.self.0/0", change), query)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_rectangle_that_is_too_large_is_refused(client: Client, url: str, settings: object) -> None:
    settings.MAP_LIMIT_VALUES = 8  # type: ignore[attr-defined]
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["limit"]) == (413, 8)


def test_nobody_waits_for_ever_for_an_absent_worker(
    client: Client, url: str, broker: redis.Redis, settings: object
) -> None:
    settings.TILE_WAIT_S = 0.2  # type: ignore[attr-defined]
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "workers_away")
    assert answer["Retry-After"]
