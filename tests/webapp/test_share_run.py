"""Somebody shares a view of a run: it is stored whole, opens for whom it may, and ends when it is withdrawn."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.webapp.conftest import answering, store
from webapp.accounts.models import Person
from webapp.runs.models import Run
from webapp.shares.kept import pooled
from webapp.shares.models import ShareLink
from workers.protocol import archive, frame
from workers.protocol.events import Started, Tile
from workers.protocol.jobs import TileJob

pytestmark = pytest.mark.django_db(transaction=True)

WEIGHTS = np.array([[1, 0, 0], [0.25, 0.75, 0], [0.5, 0.125, 0.375]], dtype=np.float32)
VIEW = "?site=decoder.self.0&head=1&scale=log"


def answer_tile(job: TileJob) -> bytes:
    event = Tile(
        site=job.site, head=job.head, rows=[0, 3], cols=[0, 3], cell=job.cell, rule="exact", implementation="cpu"
    )
    return frame.encode(event, {"weights": WEIGHTS * (job.head + 1) / 2})


@pytest.fixture
def finished(run: Run, broker: redis.Redis) -> Iterator[Run]:
    """A run that has ended, and a worker that answers for its maps."""
    cache.clear()
    store(run, "started", "tokens", "site", "probabilities", "finished")
    with answering(broker, TileJob, answer_tile):
        yield run


@pytest.fixture
def person(db: None) -> Person:
    return Person.objects.create_user("ada", "ada@example.org", "a long password")


def shared(client: Client, run: Run, **choices: Any) -> dict[str, Any]:
    body = {"run": run.id, "view": VIEW, "title": "Look", "note": "at this", **choices}
    answer = client.post("/api/v1/shares", body, content_type="application/json")
    assert answer.status_code == 201, answer.content
    told: dict[str, Any] = answer.json()
    return told


def status(client: Client, slug: str, **headers: str) -> list[int]:
    """Of its page and of every address that reads it."""
    paths = ["", "/probabilities?top=1", "/maps/decoder.self.0/1"]
    return [
        client.get(f"/s/{slug}").status_code,
        *(client.get(f"/api/v1/shares/{slug}{path}", headers=headers).status_code for path in paths),
    ]


def test_share_outlives_its_run_its_model_and_all_workers(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    checkpoint = finished.checkpoint
    shutil.rmtree(archive.folder(settings.DATA, finished.id))
    finished.delete()
    assert checkpoint
    checkpoint.delete()
    told = client.get(f"/api/v1/shares/{slug}").json()
    assert (told["title"], told["note"], told["view"], told["text"]) == ("Look", "at this", VIEW, "🙂 é")
    assert len(told["tokens"]) == 3 and told["sites"][0]["heads"] == 2
    assert told["shown_model"]["name"] == "Tiny"
    read = client.get(f"/api/v1/shares/{slug}/maps/decoder.self.0/1?rows=1:3&cols=0:2").json()
    assert (read["weights"], read["rule"]) == (WEIGHTS[1:3, 0:2].tolist(), "exact")
    assert client.get(f"/api/v1/shares/{slug}/probabilities?top=1").json()["tokens"]


def test_kept_map_is_pooled_as_a_worker_would(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    read = client.get(f"/api/v1/shares/{slug}/maps/decoder.self.0/1?cell=2").json()
    assert (read["weights"], read["rule"]) == ([[1, 0], [0.5, 0.375]], "max")


def test_kept_map_is_summed_up_and_thresholded_as_a_worker_would(client: Client, finished: Run) -> None:
    path = f"/api/v1/shares/{shared(client, finished)['slug']}/maps/decoder.self.0/1"
    totals = client.get(f"{path}/totals").json()
    assert totals["received"] == pytest.approx([1.75, 0.875, 0.375])
    assert totals["entropy"] == pytest.approx([0, 0.5623, 0.9743], abs=1e-4)
    floors = client.get(f"{path}/floors?mass=0.8").json()["floors"]
    assert floors == pytest.approx([0.999, 0.24975, 0.374625])


def test_pooled_value_is_the_one_furthest_from_zero() -> None:
    assert pooled(np.array([[1, -3], [2, 0]], dtype=np.float32), 2).tolist() == [[-3]]


def test_head_that_did_not_fit_is_shown_as_its_overview(
    client: Client, finished: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SHARE_LIMIT_BYTES", 1)
    slug = shared(client, finished)["slug"]
    assert client.get(f"/api/v1/shares/{slug}/maps/decoder.self.0/1").status_code == 200
    other = client.get(f"/api/v1/shares/{slug}/maps/decoder.self.0/0")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "not_in_share")


def test_share_tells_neither_the_run_nor_who_made_it_nor_where_the_model_lies(
    client: Client, finished: Run, person: Person
) -> None:
    client.force_login(person)
    finished.owner = person
    finished.save()
    slug = shared(client, finished)["slug"]
    share = ShareLink.objects.get(slug=slug)
    told = client.get(f"/api/v1/shares/{slug}").content + b"".join(
        stored.frame for stored in archive.read(share.folder)
    )
    started = frame.decode(next(archive.read(archive.folder(settings.DATA, finished.id))).frame).event
    assert isinstance(started, Started) and finished.checkpoint
    for secret in (finished.id, finished.checkpoint.path, started.worker, started.run, "ada@", '"ada"'):
        assert secret.encode() not in told
    assert [stored.seq for stored in archive.read(share.folder)] == [1, 2, 3, 4, 5]


def test_page_of_a_share_is_told_to_no_cache_search_engine_or_other_site(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    assert len(slug) == 22
    for path in (f"/s/{slug}", f"/embed/{slug}", f"/api/v1/shares/{slug}", "/s/unknown"):
        answer = client.get(path)
        assert answer["Cache-Control"] == "private, no-store"
        assert answer["Referrer-Policy"] == "no-referrer"
        assert answer["X-Robots-Tag"] == "noindex, nofollow"


def test_only_an_embedded_share_may_be_framed(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    embedded, whole = client.get(f"/embed/{slug}"), client.get(f"/s/{slug}")
    assert "frame-ancestors *" in embedded["Content-Security-Policy"] and "X-Frame-Options" not in embedded
    assert "frame-ancestors 'none'" in whole["Content-Security-Policy"] and whole["X-Frame-Options"] == "DENY"


def test_openings_are_counted_but_not_ones_own(client: Client, finished: Run, person: Person) -> None:
    client.force_login(person)
    slug = shared(client, finished)["slug"]
    client.get(f"/s/{slug}")
    Client().get(f"/s/{slug}")
    Client().get(f"/embed/{slug}")
    (listed,) = client.get("/api/v1/shares").json()["shares"]
    assert listed["openings"] == 2


def test_unknown_expired_and_withdrawn_are_one_answer(client: Client, finished: Run) -> None:
    slug = shared(client, finished)["slug"]
    expired = shared(client, finished, expires_at=(timezone.now() + timedelta(hours=1)).isoformat())["slug"]
    ShareLink.objects.filter(slug=expired).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert status(client, slug) == [200] * 4
    assert client.post(f"/api/v1/shares/{slug}/revoke").status_code == 200
    answers = {client.get(f"/s/{each}").content for each in (slug, expired, "unknown", slug[:-1])}
    assert len(answers) == 1 and b"leads nowhere" in answers.pop()
    for each in (slug, expired, "unknown", slug[:-1]):
        assert status(client, each) == [404] * 4
    assert not ShareLink.objects.get(slug=slug).folder.exists()


def test_share_for_people_who_sign_in(client: Client, finished: Run, person: Person) -> None:
    client.force_login(person)
    slug = shared(client, finished, audience="signed_in")["slug"]
    other = Client()
    assert status(other, slug) == [302, 401, 401, 401]
    other.force_login(Person.objects.create_user("bob", "bob@example.org"))
    assert status(other, slug) == [200] * 4


def test_password_is_asked_for_once_a_session(client: Client, finished: Run, person: Person) -> None:
    client.force_login(person)
    slug = shared(client, finished, password="open sesame")["slug"]
    assert status(client, slug) == [200] * 4  # Whoever made it.
    visitor = Client()
    assert b"asks for a password" in visitor.get(f"/s/{slug}").content
    assert status(visitor, slug) == [200, 401, 401, 401]
    assert visitor.post(f"/s/{slug}", {"password": "wrong"}).status_code == 403
    assert visitor.post(f"/s/{slug}", {"password": "open sesame"}).status_code == 302
    assert status(visitor, slug) == [200] * 4
    assert b"asks for a password" not in visitor.get(f"/s/{slug}").content
    assert status(Client(), slug, share_password="open sesame") == [200] * 4


def test_password_cannot_be_guessed_quickly(client: Client, finished: Run, person: Person) -> None:
    client.force_login(person)
    slug = shared(client, finished, password="open sesame")["slug"]
    visitor = Client()
    codes = [visitor.post(f"/s/{slug}", {"password": str(i)}).status_code for i in range(6)]
    assert codes == [403] * 5 + [429]
    assert visitor.post(f"/s/{slug}", {"password": "open sesame"}).status_code == 429


@pytest.mark.parametrize(
    ("choices", "code"),
    [
        ({"view": "site=x"}, "bad_view"),
        ({"expires_at": "2001-01-01T00:00:00Z"}, "bad_expiry"),
        ({"expires_at": "2101-01-01T00:00:00"}, "bad_expiry"),
        ({"audience": "signed_in"}, "bad_audience"),
        ({"title": "t" * 121}, "bad_field"),
    ],
)
def test_share_that_cannot_be_is_refused(client: Client, finished: Run, choices: dict[str, str], code: str) -> None:
    answer = client.post("/api/v1/shares", {"run": finished.id, **choices}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_run_under_way_cannot_be_shared_yet(client: Client, run: Run) -> None:
    store(run, "started", "tokens")
    answer = client.post("/api/v1/shares", {"run": run.id}, content_type="application/json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_finished")


def test_copy_is_a_run_of_ones_own(client: Client, finished: Run, person: Person) -> None:
    slug = shared(client, finished)["slug"]
    visitor = Client()
    visitor.force_login(person)
    copy = visitor.post(f"/api/v1/shares/{slug}/copy").json()
    told = visitor.get(f"/api/v1/runs/{copy['id']}").json()
    assert copy["id"] != finished.id
    assert (told["state"], told["text"], len(told["tokens"])) == ("finished", finished.text, 3)
    assert Client().get(f"/api/v1/runs/{copy['id']}").status_code == 404  # It is hers.
    shutil.rmtree(finished.checkpoint.path)  # type: ignore[union-attr]
    assert visitor.post(f"/api/v1/shares/{slug}/copy").json()["error"]["code"] == "model_missing"


def test_own_shares_come_in_pages(client: Client, finished: Run) -> None:
    slugs = [shared(client, finished)["slug"] for _ in range(3)]
    first = client.get("/api/v1/shares?limit=2").json()
    second = client.get("/api/v1/shares", {"limit": 2, "cursor": first["next"]}).json()
    assert [share["slug"] for share in first["shares"] + second["shares"]] == slugs[::-1]
    assert second["next"] is None
    assert client.get("/api/v1/shares?cursor=nonsense").json()["error"]["code"] == "bad_cursor"
