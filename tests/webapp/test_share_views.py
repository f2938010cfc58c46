"""Somebody shares more than the maps of one run: the lens, a pair, another reading, a comparison. No worker
is needed after.
"""

from __future__ import annotations

import base64
import json
import shutil
import threading
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import redis
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from tests.webapp.conftest import store
from tests.webapp.test_share_run import shared
from tests.workers.golden_frames import GOLDEN
from webapp.runs.models import Run
from webapp.shares.models import ShareLink
from workers.protocol import archive, frame, keys
from workers.protocol.events import Failed, Tile
from workers.protocol.jobs import QUEUE

pytestmark = pytest.mark.django_db(transaction=True)

SITE = "?site=decoder.self.0&head=1"


class Worker:
    """Answers each kind of reading; `refuses` names tasks that it says it cannot do."""

    def __init__(self, broker: redis.Redis) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refuses: set[str] = set()
        self._broker, self._stop = broker, threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def jobs(self, task: str) -> list[dict[str, Any]]:
        return [job for name, job in self.asked if name == task]

    def _work(self) -> None:
        while not self._stop.is_set():
            if not (taken := self._broker.blpop([QUEUE], timeout=0.1)):
                continue
            message = json.loads(taken[1])
            task, job = message["headers"]["task"], json.loads(base64.b64decode(message["body"]))[0][0]
            self.asked.append((task, job))
            refusal = frame.encode(Failed(code="cannot", message="It cannot."))
            self._broker.lpush(keys.reply(job["reply"]), refusal if task in self.refuses else self._answer(task, job))

    def _answer(self, task: str, job: dict[str, Any]) -> bytes:
        where = {name: job[name] for name in ("site", "head", "rows", "cols", "cell") if name in job}
        spans = (job["rows"], job["cols"]) if "cell" in where else ()
        sides = [-(-(stop - start) // job["cell"]) for start, stop in spans]
        match task:
            case "tile":
                weights = np.full(sides, 0.25 if job["trace"]["text"] == "🙂 é" else 0.5, np.float32)
                return frame.encode(Tile(**where, rule="exact", implementation="cpu"), {"weights": weights})
            case "difference":
                weights = np.full(sides, -0.5, np.float32)
                weights[:, -1] = np.nan
                return frame.encode(replace(GOLDEN["difference"][0], **where), {"weights": weights})
            case "influence":
                reading: Any = GOLDEN["influence"][0]
                event = replace(reading, reading=job["reading"], **where)
                return frame.encode(event, {"values": np.full(sides, 0.75, np.float32)})
            case "pair":
                pair: Any = GOLDEN["pair"][0]
                place = {name: job[name] for name in ("site", "head", "row", "col")}
                return frame.encode(replace(pair, **place), GOLDEN["pair"][1])
            case "lens":
                lens: Any = GOLDEN["lens"][0]
                return frame.encode(replace(lens, positions=job["positions"], tuned=job["tuned"]), GOLDEN["lens"][1])
        return frame.encode(*GOLDEN["comparison"])


@pytest.fixture
def worker(broker: redis.Redis) -> Iterator[Worker]:
    cache.clear()
    made = Worker(broker)
    yield made
    made.stop()


@pytest.fixture
def finished(run: Run) -> Run:
    store(run, "started", "tokens", "site", "probabilities", "finished")
    return run


@pytest.fixture
def second(finished: Run) -> Run:
    other = Run.objects.create(checkpoint=finished.checkpoint, text="🙂 e")
    store(other, "started", "tokens", "site", "probabilities", "finished")
    return other


def gone(run: Run) -> None:
    shutil.rmtree(archive.folder(settings.DATA, run.id))
    run.delete()


def refusal(client: Client, path: str) -> tuple[int, str]:
    answer = client.get(path)
    return answer.status_code, answer.json()["error"]["code"]


def test_lens_that_is_open_is_kept_and_read_in_windows(client: Client, finished: Run, worker: Worker) -> None:
    slug = shared(client, finished, view=SITE, lens={"positions": [1, 3]})["slug"]
    [asked] = worker.jobs("lens")
    assert (asked["positions"], asked["top"], asked["tuned"]) == ([0, 3], 5, False)  # A short text is kept whole.
    told = client.get(f"/api/v1/shares/{slug}").json()
    assert told["lens"] == {"positions": [1, 3], "kept": [0, 3], "tuned": False}
    read = client.get(f"/api/v1/shares/{slug}/lens?positions=1:2").json()
    golden = [np.asarray(ids).tolist() for ids in GOLDEN["lens"][1]["ids"]]
    assert (read["positions"], [layer["ids"] for layer in read["layers"]]) == ([1, 2], [[ids[1]] for ids in golden])
    assert b"&quot;lens&quot;: {" in client.get(f"/s/{slug}").content


def test_other_lens_than_the_kept_one_is_not_in_the_share(client: Client, finished: Run, worker: Worker) -> None:
    lensed = shared(client, finished, view=SITE, lens={"positions": [1, 3], "tuned": True})["slug"]
    without = shared(client, finished, view=SITE)["slug"]
    assert client.get(f"/api/v1/shares/{lensed}/lens?tuned=true").status_code == 200
    for path in (f"{lensed}/lens?tuned=false", f"{without}/lens"):
        assert refusal(client, f"/api/v1/shares/{path}") == (409, "not_in_share")


def test_of_a_long_text_the_window_of_the_lens_is_kept(
    client: Client, finished: Run, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.api.shares.LENS_POSITIONS", 2)
    slug = shared(client, finished, view=SITE, lens={"positions": [1, 3]})["slug"]
    assert [job["positions"] for job in worker.jobs("lens")] == [[1, 3]]
    assert client.get(f"/api/v1/shares/{slug}/lens?positions=2:3").json()["positions"] == [2, 3]
    assert refusal(client, f"/api/v1/shares/{slug}/lens?positions=0:2") == (409, "not_in_share")


def test_lens_that_the_worker_refused_is_not_promised(client: Client, finished: Run, worker: Worker) -> None:
    worker.refuses.add("lens")
    slug = shared(client, finished, view=SITE, lens={"positions": [1, 3]})["slug"]
    assert client.get(f"/api/v1/shares/{slug}").json()["lens"] is None


@pytest.mark.parametrize(
    ("lens", "code"),
    [({"positions": [2, 9]}, "bad_range"), ({"positions": [2]}, "bad_field"), ({"top": 5}, "bad_field")],
)
def test_lens_that_cannot_be_is_refused(client: Client, finished: Run, lens: dict[str, Any], code: str) -> None:
    body = {"run": finished.id, "lens": lens}
    answer = client.post("/api/v1/shares", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_weight_that_is_taken_apart_is_kept_without_worker_and_run(
    client: Client, finished: Run, worker: Worker
) -> None:
    slug = shared(client, finished, view=f"{SITE}&token=decoder.2&key=1")["slug"]
    [asked] = worker.jobs("pair")
    assert [asked[name] for name in ("site", "head", "row", "col")] == ["decoder.self.0", 1, 2, 1]
    worker.stop()
    gone(finished)
    place = {"site": "decoder.self.0", "head": 1, "row": 2, "col": 1}
    assert client.get(f"/api/v1/shares/{slug}").json()["pairs"] == [place]
    assert b"&quot;pairs&quot;: [{" in client.get(f"/s/{slug}").content
    told = client.get(f"/api/v1/shares/{slug}/pairs/decoder.self.0/1?row=2&col=1").json()
    assert (told["row"], told["col"], told["products"], told["scaled"]) == (2, 1, [0.5, -2.0], -0.75)
    assert (told["score"], told["strongest"]) == (None, [{"key": 2, "weight": 1.0}])


def test_same_two_tokens_are_kept_of_the_picked_heads(client: Client, finished: Run, worker: Worker) -> None:
    """Of a head that the page does not know, nothing."""
    picked = "&picked=decoder.self.0.0_decoder.self.0.1_decoder.self.7.0"
    slug = shared(client, finished, view=f"{SITE}&token=decoder.2&key=1{picked}")["slug"]
    worker.stop()
    heads = [(pair["site"], pair["head"]) for pair in client.get(f"/api/v1/shares/{slug}").json()["pairs"]]
    assert heads == [("decoder.self.0", 1), ("decoder.self.0", 0)]
    for site, head in heads:
        told = client.get(f"/api/v1/shares/{slug}/pairs/{site}/{head}?row=2&col=1").json()
        assert (told["site"], told["head"], told["row"], told["col"]) == (site, head, 2, 1)


def test_share_of_before_the_picked_heads_had_pairs_keeps_its_one(
    client: Client, finished: Run, worker: Worker
) -> None:
    slug = shared(client, finished, view=f"{SITE}&token=decoder.2&key=1")["slug"]
    share = ShareLink.objects.get(slug=slug)
    ShareLink.objects.update(pairs=share.pairs[0])
    import_module("webapp.shares.migrations.0005_pairs").as_lists(apps, None)
    assert client.get(f"/api/v1/shares/{slug}/pairs/decoder.self.0/1?row=2&col=1").status_code == 200


def test_other_pair_than_the_kept_one_is_not_in_the_share(client: Client, finished: Run, worker: Worker) -> None:
    slug = shared(client, finished, view=f"{SITE}&token=decoder.2&key=1")["slug"]
    path = f"/api/v1/shares/{slug}/pairs/decoder.self.0"
    for other in ("1?row=2&col=0", "1?row=1&col=1", "0?row=2&col=1"):
        assert refusal(client, f"{path}/{other}") == (409, "not_in_share")
    assert refusal(client, f"{path}/1?row=2&col=3") == (422, "bad_col")
    assert refusal(client, f"{path}/9?row=2&col=1") == (404, "unknown_head")


@pytest.mark.parametrize(
    "kept", ["", "&token=decoder.2", "&token=encoder.2&key=1", "&token=decoder.9&key=1", "&token=decoder.2&key=3"]
)
def test_view_without_a_pair_asks_nobody_for_one(client: Client, finished: Run, worker: Worker, kept: str) -> None:
    slug = shared(client, finished, view=f"{SITE}{kept}")["slug"]
    assert (worker.jobs("pair"), client.get(f"/api/v1/shares/{slug}").json()["pairs"]) == ([], [])
    assert refusal(client, f"/api/v1/shares/{slug}/pairs/decoder.self.0/1?row=2&col=1") == (409, "not_in_share")


def test_pair_that_the_worker_refused_is_not_promised(client: Client, finished: Run, worker: Worker) -> None:
    worker.refuses.add("pair")
    slug = shared(client, finished, view=f"{SITE}&token=decoder.2&key=1")["slug"]
    assert client.get(f"/api/v1/shares/{slug}").json()["pairs"] == []
    assert client.get(f"/api/v1/shares/{slug}/maps/decoder.self.0/1").status_code == 200


@pytest.mark.parametrize(("token", "row"), [("", 2), ("&token=decoder.1", 1), ("&token=decoder.9", 2)])
def test_flow_is_kept_of_the_token_that_shows_it(
    client: Client, finished: Run, worker: Worker, token: str, row: int
) -> None:
    slug = shared(client, finished, view=f"{SITE}&reading=flow{token}")["slug"]
    assert [(job["reading"], job["rows"]) for job in worker.jobs("influence")] == [("flow", [row, row + 1])]
    path = f"/api/v1/shares/{slug}/maps/decoder.self.0/1?reading=flow&rows="
    read = client.get(f"{path}{row}:{row + 1}").json()
    assert (read["weights"], read["rows"], read["reading"]) == ([[0.75] * 3], [row, row + 1], "flow")
    assert refusal(client, f"{path}0:1") == (409, "not_in_share")


@pytest.mark.parametrize("reading", ["value", "gradient", "rollout"])
def test_reading_is_kept_of_the_head_in_view_and_of_picked_ones(
    client: Client, finished: Run, worker: Worker, reading: str
) -> None:
    view = f"{SITE}&reading={reading}&picked=decoder.self.0.0"
    slug = shared(client, finished, view=view)["slug"]
    assert sorted(job["head"] for job in worker.jobs("influence")) == [0, 1]
    for head in (1, 0):
        path = f"/api/v1/shares/{slug}/maps/decoder.self.0/{head}"
        assert client.get(f"{path}?reading={reading}").json()["weights"] == [[0.75] * 3] * 3
        assert client.get(path).json()["weights"] == [[0.25] * 3] * 3


def test_comparison_outlives_both_runs(client: Client, finished: Run, second: Run, worker: Worker) -> None:
    slug = shared(client, finished, view=f"{SITE}&with={second.id}")["slug"]
    for run in (finished, second):
        gone(run)
    path = f"/api/v1/shares/{slug}"
    told = client.get(path).json()
    assert (told["view"], told["second"]["text"]) == (f"{SITE}&with=second", "🙂 e")
    assert [head["distance"] for head in client.get(f"{path}/comparison").json()["heads"]] == [0.5, 0.125]
    of_head = "maps/decoder.self.0/1"
    assert client.get(f"{path}/{of_head}").json()["weights"] == [[0.25] * 3] * 3
    assert client.get(f"{path}/second/{of_head}").json()["weights"] == [[0.5] * 3] * 3
    assert client.get(f"{path}/comparison/{of_head}").json()["values"] == [[-0.5, -0.5, None]] * 3
    # Pooled, what has no partner stands only where nothing else does.
    assert client.get(f"{path}/comparison/{of_head}?cell=2").json()["values"] == [[-0.5, None]] * 2
    assert client.get(f"{path}/second/{of_head}/floors?mass=1").json()["floors"] == pytest.approx([0.4995] * 3)
    assert client.get(f"{path}/second/frames").content


def test_comparison_tells_neither_run(client: Client, finished: Run, second: Run, worker: Worker) -> None:
    slug = shared(client, finished, view=f"{SITE}&with={second.id}")["slug"]
    paths = ["", "/comparison", "/second/frames", "/frames"]
    told = [client.get(f"/api/v1/shares/{slug}{path}").content for path in paths] + [client.get(f"/s/{slug}").content]
    assert not any(run.id.encode() in answer for run in (finished, second) for answer in told)


def test_comparison_is_kept_as_its_tokens_were_paired(
    client: Client, finished: Run, second: Run, worker: Worker
) -> None:
    slug = shared(client, finished, view=f"{SITE}&with={second.id}&pairs=decoder.1.2")["slug"]
    assert [job["sequences"]["decoder"]["by_hand"] for job in worker.jobs("compare")] == [[[1, 2]]]
    path = f"/api/v1/shares/{slug}/comparison"
    assert client.get(f"{path}?alignment=decoder.1.2").json()["aligned_by"] == "hand"
    assert refusal(client, path) == (409, "not_in_share")
    assert refusal(client, f"{path}/maps/decoder.self.0/1?alignment=decoder.0.0") == (409, "not_in_share")


def test_copy_of_a_comparison_has_both_runs(client: Client, finished: Run, second: Run, worker: Worker) -> None:
    slug = shared(client, finished, view=f"{SITE}&with={second.id}")["slug"]
    copy = client.post(f"/api/v1/shares/{slug}/copy").json()
    texts = [client.get(f"/api/v1/runs/{copy[name]}").json()["text"] for name in ("id", "second")]
    assert texts == [finished.text, second.text] and len({copy["id"], copy["second"], finished.id, second.id}) == 4


def test_share_of_one_run_has_no_second(client: Client, finished: Run, worker: Worker) -> None:
    slug = shared(client, finished, view=SITE)["slug"]
    for path in ("comparison", "second/frames", "second/maps/decoder.self.0/1", "comparison/maps/decoder.self.0/1"):
        assert refusal(client, f"/api/v1/shares/{slug}/{path}") == (409, "not_in_share")


def test_somebody_elses_run_is_not_shared_by_comparing_with_it(
    client: Client, finished: Run, second: Run, django_user_model: Any
) -> None:
    Run.objects.filter(pk=second.pk).update(
        owner=django_user_model.objects.create_user("eve", "eve@example.org"), visible=True
    )
    body = {"run": finished.id, "view": f"{SITE}&with={second.id}"}
    answer = client.post("/api/v1/shares", body, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_yours")
    assert not ShareLink.objects.exists()


def test_share_of_before_there_were_more_views_still_opens(client: Client, finished: Run, worker: Worker) -> None:
    """Its folder has frames and maps alone, and its row neither a lens nor a pair nor a second run."""
    slug = shared(client, finished, view=SITE)["slug"]
    share = ShareLink.objects.get(slug=slug)
    (share.folder / "first_heads.json").unlink()
    assert {path.name for path in share.folder.iterdir()} == {"1.frames", "maps.npz"}
    told = client.get(f"/api/v1/shares/{slug}").json()
    assert (told["lens"], told["pairs"], told["second"]) == (None, [], None)
    assert client.get(f"/s/{slug}").status_code == 200
