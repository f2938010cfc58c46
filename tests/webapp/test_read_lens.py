"""Somebody asks what each layer would say, and a worker answers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
from django.test import Client

from tests.webapp.conftest import MANIFEST, answering, store
from tests.workers.golden_frames import GOLDEN
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol import frame
from workers.protocol.events import Failed
from workers.protocol.jobs import LensJob

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[list[LensJob]]:
    """Answers the golden lens for the two positions from the one that is asked for; a tuned lens it has not."""

    def answer(job: LensJob) -> bytes:
        if job.tuned:
            return frame.encode(Failed(code="no_tuned_lens", message="Train one first."))
        event, arrays = GOLDEN["lens"]
        return frame.encode(replace(event, positions=list(job.positions)), arrays)

    with answering(broker, LensJob, answer) as asked:
        yield asked


@pytest.fixture
def url(run: Run) -> str:
    store(run, "started", "tokens", "site", "finished")
    return f"/api/v1/runs/{run.id}/lens"


def test_layers_are_told_with_their_guesses_and_the_true_token(client: Client, url: str, worker: list[LensJob]) -> None:
    answer = client.get(url, {"positions": "1:3", "top": "2"})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["sequence"], told["positions"], told["guesses"], told["tuned"]) == ("decoder", [1, 3], "next", False)
    assert told["texts"] == {"7": "🙂", "300": " é"}
    assert told["truth"] == [300, None]
    first, last = told["layers"]
    assert (first["depth"], last["depth"]) == (0, 1)
    assert first["ids"] == [[7, 300], [300, 7]]
    assert last["probabilities"] == [[1.0, 0.0], [0.5, 0.5]]
    assert (first["truth_probabilities"], first["truth_ranks"]) == ([0.25, None], [1, None])
    assert "immutable" in answer["Cache-Control"]
    assert [(job.positions, job.top) for job in worker] == [((1, 3), 2)]


def test_all_positions_are_asked_for_where_none_are_named(client: Client, url: str, worker: list[LensJob]) -> None:
    client.get(url)
    assert [(job.positions, job.top, job.tuned) for job in worker] == [((0, 3), 5, False)]


def test_worker_that_cannot_says_why(client: Client, url: str, worker: list[LensJob]) -> None:
    answer = client.get(url, {"tuned": "true"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_tuned_lens")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"positions": "2:4"}, "bad_range"),
        ({"positions": "2:2"}, "bad_range"),
        ({"positions": "-1:2"}, "bad_range"),
        ({"positions": "first"}, "bad_range"),
        ({"top": "0"}, None),
        ({"top": "51"}, None),
        ({"tuned": "maybe"}, None),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    client: Client, url: str, query: dict[str, str], code: str | None
) -> None:
    answer = client.get(url, query)
    error = answer.json()["error"]
    assert (answer.status_code, error["field"]) == (422, next(iter(query)))
    assert code is None or error["code"] == code


@pytest.mark.parametrize("frames", [[], ["started", "tokens"], ["started", "tokens", "cancelled"]])
def test_run_that_is_not_finished_is_refused(client: Client, run: Run, frames: list[str]) -> None:
    store(run, *frames)
    answer = client.get(f"/api/v1/runs/{run.id}/lens")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_finished")


@pytest.mark.parametrize("change", [{"output": "hidden"}, {"output": "classes"}])
def test_model_without_a_head_to_look_through_is_refused(
    client: Client, checkpoint: Checkpoint, url: str, change: dict[str, str]
) -> None:
    Checkpoint.objects.filter(pk=checkpoint.pk).update(manifest={**MANIFEST, **change})
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "no_lens")


def test_more_positions_than_one_answer_reads_are_refused_with_how_many_it_does(
    client: Client, url: str, settings: object
) -> None:
    settings.LENS_LIMIT_SCORES = 2 * 3 * 512  # type: ignore[attr-defined]
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["limit"]) == (413, 2)


def test_unknown_run_is_refused(client: Client, db: None) -> None:
    answer = client.get("/api/v1/runs/nobody/lens")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_run")


def test_nobody_waits_for_ever_for_an_absent_worker(
    client: Client, url: str, broker: redis.Redis, settings: object
) -> None:
    settings.TILE_WAIT_S = 0.2  # type: ignore[attr-defined]
    answer = client.get(url)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "workers_away")
