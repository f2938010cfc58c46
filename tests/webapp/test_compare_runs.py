"""Somebody compares two runs, and a worker answers; what cannot be compared is refused with a reason."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import redis
from django.test import Client

from tests.webapp.conftest import MANIFEST, answering, store
from tests.workers.golden_frames import GOLDEN
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol import frame
from workers.protocol.events import Failed
from workers.protocol.jobs import CompareJob, DifferenceJob

pytestmark = pytest.mark.django_db(transaction=True)

Finish = Callable[..., Run]


@pytest.fixture
def finish(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> Finish:
    """A finished run; keyword arguments change what its tokens or its site told."""

    def finished(of: Checkpoint = checkpoint, tokens: dict | None = None, site: dict | None = None, **fields) -> Run:
        run = Run.objects.create(checkpoint=of, **({"text": "🙂 é"} | fields))
        for name, changes in (("tokens", tokens or {}), ("site", site or {})):
            event, arrays = GOLDEN[name]
            ids = changes.pop("ids", None)
            told = arrays if ids is None else arrays | {"ids": np.array(ids, np.int32)}
            monkeypatch.setitem(GOLDEN, name, (replace(event, **changes), told))
            store(run, name, attempt=1 if name == "tokens" else 2)
            monkeypatch.setitem(GOLDEN, name, (event, arrays))
        store(run, "finished", attempt=3)
        return run

    return finished


@pytest.fixture
def a(finish: Finish) -> Run:
    return finish()


@pytest.fixture
def b(finish: Finish) -> Run:
    return finish(text="🙂 e")


@pytest.fixture
def url(a: Run, b: Run) -> str:
    return f"/api/v1/comparisons/{a.id}/{b.id}"


@pytest.fixture
def comparing(broker: redis.Redis) -> Iterator[list[CompareJob]]:
    with answering(broker, CompareJob, lambda job: frame.encode(*GOLDEN["comparison"])) as asked:
        yield asked


@pytest.fixture
def differing(broker: redis.Redis) -> Iterator[list[DifferenceJob]]:
    """Answers -.5 where both are known, and NaN in the last column; a head 1 it refuses."""

    def answer(job: DifferenceJob) -> bytes:
        if job.head == 1:
            return frame.encode(Failed(code="trace_again_refused", message="The weights are gone."))
        sides = [-(-(stop - start) // job.cell) for start, stop in (job.rows, job.cols)]
        weights = np.full(sides, -0.5, np.float32)
        weights[:, -1] = np.nan
        event, _ = GOLDEN["difference"]
        changed = replace(event, head=job.head, rows=list(job.rows), cols=list(job.cols), cell=job.cell)
        return frame.encode(changed, {"weights": weights})

    with answering(broker, DifferenceJob, answer) as asked:
        yield asked


def refused(client: Client, address: str, **query: str) -> tuple[int, str, str]:
    answer = client.get(address, query)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


def test_heads_come_by_how_far_they_changed(client: Client, url: str, comparing: list[CompareJob]) -> None:
    answer = client.get(url)
    assert answer.status_code == 200
    told = answer.json()
    assert [(head["head"], head["distance"]) for head in told["heads"]] == [(1, 0.5), (0, 0.125)]
    [row] = told["heads"][0]["rows"]
    assert (row["row"], row["partner"], row["distance"]) == (1, 1, 0.5)
    assert (row["a"], row["b"]) == ({"key": 1, "weight": 1.0}, {"key": 1, "weight": 0.5})
    assert told["alignment"] == {"decoder": [[0, 0], [1, 1], [2, 2]]}
    assert (told["aligned_by"], told["rows_read"], told["rows_shared"]) == ("tokens", [3], [3])
    assert "immutable" in answer["Cache-Control"]


def test_tokens_go_along_by_id_where_one_model_read_both(
    client: Client, url: str, comparing: list[CompareJob], a: Run, b: Run
) -> None:
    client.get(url, {"alignment": "decoder.1.2"})
    [job] = comparing
    assert (job.trace.run, job.other.run, job.sites) == (a.id, b.id, ["decoder.self.0"])
    told = job.sequences["decoder"]
    assert (told.a, told.special_a, told.by_hand) == (["7", "300", "0"], [False, False, True], [(1, 2)])


def test_tokens_go_along_by_text_where_models_differ(
    client: Client, a: Run, finish: Finish, comparing: list[CompareJob]
) -> None:
    other = Checkpoint.objects.create(id="later", name="Later", path="/x", fingerprint="f", manifest=MANIFEST)
    client.get(f"/api/v1/comparisons/{a.id}/{finish(other).id}")
    assert comparing[0].sequences["decoder"].b == ["🙂", " é", "⏎"]


def test_difference_as_json_and_as_npy(client: Client, url: str, differing: list[DifferenceJob]) -> None:
    query = {"rows": "0:2", "cols": "1:3", "alignment": "decoder.0.1"}
    told = client.get(f"{url}/maps/decoder.self.0/0", query).json()
    assert told["values"] == [[-0.5, None], [-0.5, None]]
    assert (told["rows"], told["cols"], told["cell"]) == ([0, 2], [1, 3], 1)
    answer = client.get(f"{url}/maps/decoder.self.0/0", query, headers={"accept": "application/x-npy"})
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), [[-0.5, np.nan], [-0.5, np.nan]])
    assert [job.sequences["decoder"].by_hand for job in differing] == [[(0, 1)], [(0, 1)]]


def test_worker_that_cannot_says_why(client: Client, url: str, differing: list[DifferenceJob]) -> None:
    assert refused(client, f"{url}/maps/decoder.self.0/1")[::2] == (409, "The weights are gone.")


@pytest.mark.parametrize(
    ("place", "query", "status", "code"),
    [
        ("decoder.self.9/0", {}, 404, "unknown_site"),
        ("decoder.self.0/2", {}, 404, "unknown_head"),
        ("decoder.self.0/0", {"rows": "2:9"}, 422, "bad_range"),
        ("decoder.self.0/0", {"cell": "3"}, 422, "bad_cell"),
    ],
)
def test_rectangle_that_is_not_there_is_refused(
    client: Client, url: str, place: str, query: dict[str, str], status: int, code: str
) -> None:
    assert refused(client, f"{url}/maps/{place}", **query)[:2] == (status, code)


def test_rectangle_that_is_too_large_is_refused(client: Client, url: str, settings) -> None:
    settings.MAP_LIMIT_VALUES = 8
    assert refused(client, f"{url}/maps/decoder.self.0/0")[:2] == (413, "rectangle_too_large")


@pytest.mark.parametrize(
    "alignment", ["1.2", "decoder.1", "decoder.1.x", "decoder.9.0", "encoder.0.0", "decoder.0.1,decoder.0.2", "²"]
)
def test_pairs_that_cannot_be_are_refused(client: Client, url: str, alignment: str) -> None:
    assert refused(client, url, alignment=alignment)[:2] == (422, "bad_alignment")


def test_unknown_run_is_refused_on_either_side(client: Client, a: Run) -> None:
    for address in (f"/api/v1/comparisons/{a.id}/nobody", f"/api/v1/comparisons/nobody/{a.id}"):
        assert refused(client, address)[:2] == (404, "unknown_run")


def test_run_under_way_is_refused_until_it_has_finished(client: Client, a: Run, run: Run) -> None:
    status, code, message = refused(client, f"/api/v1/comparisons/{a.id}/{run.id}")
    assert (status, code) == (409, "run_not_finished") and f"second run, {run.id}" in message


def test_run_that_failed_is_refused(client: Client, a: Run, run: Run) -> None:
    store(run, "started", "tokens", "failed")
    status, code, message = refused(client, f"/api/v1/comparisons/{run.id}/{a.id}")
    assert (status, code) == (409, "run_without_maps") and "first run" in message


def test_picture_and_text_are_refused(client: Client, a: Run, finish: Finish) -> None:
    seen = finish(text=None, picture="0" * 64)
    assert refused(client, f"/api/v1/comparisons/{a.id}/{seen.id}")[:2] == (422, "picture_and_text")


def test_texts_without_a_token_in_common_are_refused_unless_paired_by_hand(
    client: Client, a: Run, finish: Finish, comparing: list[CompareJob]
) -> None:
    """A special token at the end of both says nothing."""
    other = finish(tokens={"ids": [8, 9, 0]})
    address = f"/api/v1/comparisons/{a.id}/{other.id}"
    status, code, message = refused(client, address)
    assert (status, code) == (422, "no_token_in_common") and "by hand" in message
    answer = client.get(address, {"alignment": "decoder.0.1"})
    assert (answer.status_code, answer.json()["aligned_by"]) == (200, "hand")


def test_models_without_a_common_site_are_refused_with_what_they_have(client: Client, a: Run, finish: Finish) -> None:
    other = finish(site={"site": "encoder.self.0", "stack": "encoder"})
    status, code, message = refused(client, f"/api/v1/comparisons/{a.id}/{other.id}")
    assert (status, code) == (422, "no_common_sites")
    assert "decoder.self.0" in message and "encoder.self.0" in message


def test_models_with_other_head_counts_are_refused(
    client: Client, a: Run, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    event, arrays = GOLDEN["site"]
    one_head = {name: np.ascontiguousarray(array[:1]) for name, array in arrays.items() if name != "measures"}
    narrow = (replace(event, heads=1, labels=["unclear"]), one_head | {"measures": arrays["measures"][:, :1].copy()})
    monkeypatch.setitem(GOLDEN, "site", narrow)
    other = finish()
    status, code, message = refused(client, f"/api/v1/comparisons/{a.id}/{other.id}")
    assert (status, code) == (422, "head_counts_differ") and "2 heads" in message and "1 in the second" in message


def test_nobody_waits_for_ever_for_an_absent_worker(client: Client, url: str, broker: redis.Redis, settings) -> None:
    settings.TILE_WAIT_S = 0.2
    assert refused(client, url)[:2] == (503, "workers_away")


def test_openapi_describes_both_addresses(client: Client) -> None:
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    assert "/api/v1/comparisons/{a}/{b}" in paths
    assert "/api/v1/comparisons/{a}/{b}/maps/{site}/{head}" in paths
