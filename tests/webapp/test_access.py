"""Who may reach what: a row for each address and socket. A new one has to be named here, or the test fails."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from tests.webapp.access_rows import (
    ADMIN,
    ARRIVAL,
    CLASS_PAGE,
    JOIN,
    LIST,
    MAKE,
    MODEL,
    OF_CLASS,
    OF_SIGNING_IN,
    OWN_CLASS,
    OWN_MODEL,
    OWN_RUN,
    OWN_SHARE,
    OWN_SWEEP,
    PERSON,
    PUBLIC,
    ROWS,
    RUN,
    SHARE,
    SIGNED_IN,
    SOCKETS,
    SWEEP,
    addresses,
    braced,
    patterns,
)
from tests.webapp.classes import school
from tests.webapp.conftest import MANIFEST, store
from tests.webapp.people import client_of, person, socket_headers
from tests.webapp.test_watch_run import Viewer
from tests.workers.golden_frames import GOLDEN
from webapp import dispatch, stream
from webapp.accounts.models import ApiToken
from webapp.checkpoints.models import Checkpoint, Visibility
from webapp.library.models import Arrival
from webapp.runs import consumers as of_runs
from webapp.runs.models import Run, Sweep
from webapp.shares import consumers, kept
from webapp.shares.models import ShareLink
from webapp.urls import socket_urlpatterns

pytestmark = pytest.mark.django_db

# Words that an address or a body needs to be read at all.
QUERIES = {"floors": "?mass=0.5", "pairs": "?row=0&col=0", "probabilities": "?top=1"}
BODIES: dict[str, Any] = {
    **{"PATCH": {}, "orders": {"action": "pause"}, "lens": {"text": "a"}},
    **{"classes": {"name": "a"}, "join": {"link": "a"}},
}
ABSENT = {401, 403, 404}


def test_every_address_has_a_row() -> None:
    assert addresses() == set(ROWS)


def test_every_socket_has_a_row() -> None:
    assert {braced(str(pattern.pattern)) for pattern in socket_urlpatterns} == set(SOCKETS)


class World:
    """Ada's private things, and those who try to reach them; her teammate teaches, and has no key either."""

    def __init__(self, path: str) -> None:
        cache.clear()
        self.ada = person("ada", password=None)
        self.clients = {
            "owner": client_of(self.ada),
            "teammate": client_of(person("ben", "teacher", None)),
            "stranger": client_of(person("cy", password=None)),
            "anonymous": client_of(None),
        }
        model = {"name": "Hers", "path": path, "fingerprint": "f", "manifest": MANIFEST, "owner": self.ada}
        model["visibility"] = Visibility.PRIVATE
        self.model = Checkpoint.objects.create(id="hers", **model)
        self.run, self.other = (self._run(text=text) for text in ("a", "b"))
        plan = {"assignment": "text", "text": "a"}
        self.training = Run.objects.create(kind="train", plan=plan, owner=self.ada)
        self.sweep = Sweep.objects.create(kind="table3", plan=plan, owner=self.ada)
        self.shares = {
            "open": self._share(),
            "expired": self._share(expires_at=timezone.now() - timedelta(seconds=1)),
            "revoked": self._share(revoked_at=timezone.now()),
            "wrong password": self._share(password="a hash"),
            "signed in": self._share(audience="signed_in"),
        }
        self.slugs = {name: share.slug for name, share in self.shares.items()}
        self.slugs |= {"guessed": "A" * 22, "truncated": self.slugs["open"][:-1]}
        self.arrival = Arrival.objects.create(owner=self.ada, name="Hers")
        self.school = school()
        known = {"teacher": "tess", "pupil": "pip", "other pupil": "eve", "other teacher": "dora"}
        self.clients |= {name: self.school.clients[each] for name, each in known.items()}
        self.job = Run.objects.create(text="a", owner=self.school.people["pip"])
        self.shares["class"] = self._share(audience="class", school_class=self.school.own)
        self.slugs["class"] = self.shares["class"].slug
        self.token = ApiToken.make(self.ada, "hers", ["read"])[0]

    def _run(self, text: str) -> Run:
        run = Run.objects.create(checkpoint=self.model, text=text, owner=self.ada, state="finished")
        store(run, "started", "tokens", "site", "probabilities", "finished")
        return run

    def _share(self, **fields: Any) -> ShareLink:
        record = {
            "kind": "trace",
            "model": None,
            "state": "finished",
            **dict.fromkeys(("text", "target", "text_pair", "picture", "generate", "parent", "branched_at", "error")),
            "timings": {},
            "implementation": "cpu",
            "attempt": 1,
            "created_at": timezone.now().isoformat(),
        }
        more = {
            "second": {"record": record, "model": None},
            "lens": {"positions": [0, 2], "kept": [0, 2], "tuned": False},
        }
        share = ShareLink.objects.create(owner=self.ada, run=self.run, record=record, **more, **fields)
        kept.keep_frames(share.folder, stream.stored_frames(self.run.id))
        kept.keep_frames(share.folder / kept.SECOND, stream.stored_frames(self.other.id))
        for name in (kept.LENS, kept.COMPARISON):
            kept.keep_answer(share.folder, name, *GOLDEN[name])
        return share

    def path(self, row: str, slug: str = "") -> str:
        path = row.split()[1]
        is_training = "/trainings/" in path
        names = {
            "run_id": self.training.id if is_training else self.run.id,
            "a": self.run.id,
            "b": self.other.id,
            "site": "decoder.self.0",
            "head": "0",
            "model_id": self.model.id,
            "arrival_id": self.arrival.id,
            "sweep_id": self.sweep.id,
            "class_id": self.school.own.id,
            "person_id": str(self.school.people["pip"].pk),
            "link": str(self.school.own.link),
            "token_id": str(self.token.pk),
            "slug": slug or self.slugs["open"],
        }
        if "/classes/" in path:
            names["run_id"] = self.job.id
        end = path.rstrip("/").rpartition("/")[2]
        query = QUERIES.get(end, QUERIES["pairs"] if "/pairs/" in path else "")
        return path.format(**names) + query

    def ask(self, client: Client, row: str, slug: str = "") -> Any:
        method, path = row.split()[0], self.path(row, slug)
        end = path.partition("?")[0].rpartition("/")[2]
        body = json.dumps(BODIES.get(method) or BODIES.get(end) or {})
        return client.generic(method, path, body if method != "GET" else "", "application/json")


@pytest.fixture
def world(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(settings, "TILE_WAIT_S", 0.01)
    monkeypatch.setattr(dispatch, "_send", lambda *_: False)
    monkeypatch.setattr(dispatch, "order", lambda *_: None)
    monkeypatch.setattr(consumers, "LOOK_AGAIN_S", 0.05)
    return World(str(tmp_path))


def rows(*kinds: str) -> list[str]:
    return [row for row, kind in ROWS.items() if kind in kinds]


@pytest.mark.parametrize("row", rows(RUN, MODEL, SWEEP, OWN_RUN, OWN_MODEL, OWN_SWEEP, OWN_SHARE, ARRIVAL))
def test_private_things_are_their_owners_alone(world: World, row: str) -> None:
    answers = {}
    for name in ("anonymous", "stranger", "teammate", "owner"):
        answers[name] = world.ask(world.clients[name], row)
    assert answers["owner"].status_code not in ABSENT, answers["owner"].content
    assert {name: answer.status_code for name, answer in answers.items() if name != "owner"} == {
        "anonymous": 404,
        "stranger": 404,
        "teammate": 404,
    }


@pytest.mark.parametrize("row", rows(RUN, OWN_RUN))
def test_somebody_elses_thing_is_answered_as_one_that_never_was(world: World, row: str) -> None:
    for name in ("anonymous", "stranger"):
        private = world.ask(world.clients[name], row)
        made_up = world.clients[name].generic(
            row.split()[0],
            world.path(row).replace(world.run.id, "a" * 26).replace(world.training.id, "a" * 26),
            json.dumps(BODIES.get(row.split()[0]) or BODIES.get(row.rpartition("/")[2]) or {}),
            "application/json",
        )
        assert private.status_code == made_up.status_code == 404
        assert private.content == made_up.content


@pytest.mark.parametrize("row", rows(RUN, OWN_RUN))
def test_what_is_shown_to_all_is_read_and_not_changed(world: World, row: str) -> None:
    Run.objects.update(visible=True)
    answer = world.ask(world.clients["stranger"], row)
    if ROWS[row] == RUN:
        assert answer.status_code not in ABSENT, answer.content
    else:
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_yours")


@pytest.mark.parametrize("row", rows(SHARE))
def test_share_opens_for_whoever_has_the_link_while_it_is_open(world: World, row: str) -> None:
    expected = {"expired": 404, "revoked": 404, "guessed": 404, "truncated": 404}
    for name in ("stranger", "anonymous"):
        client = world.clients[name]
        assert world.ask(client, row).status_code in (200, 409), name
        assert {each: world.ask(client, row, world.slugs[each]).status_code for each in expected} == expected
    page = row.startswith("GET /s/")
    embedded = row.startswith("GET /embed/")
    password = world.ask(world.clients["stranger"], row, world.slugs["wrong password"])
    assert password.status_code == (200 if page else 404 if embedded else 401)
    assert not page or b"asks for a password" in password.content
    signed_in = world.slugs["signed in"]
    assert world.ask(world.clients["anonymous"], row, signed_in).status_code == (
        302 if page else 404 if embedded else 401
    )
    assert world.ask(world.clients["stranger"], row, signed_in).status_code == (404 if embedded else 200) or (
        row.endswith(("/copy", "/{head}", "/totals", "/floors"))
    )


@pytest.mark.parametrize("row", rows(PUBLIC, MAKE, LIST))
def test_what_is_everybodys_says_nothing_of_anybody(world: World, row: str) -> None:
    for name in ("stranger", "anonymous"):
        answer = world.ask(world.clients[name], row)
        assert answer.status_code not in ABSENT, answer.content
        told = b"".join(answer) if answer.streaming else answer.content
        for secret in (world.run.id, world.training.id, world.sweep.id, world.slugs["open"], "ada@example.org", "Hers"):
            assert secret.encode() not in told


@pytest.mark.parametrize("row", rows(OF_CLASS, OWN_CLASS))
def test_class_is_for_its_people_and_what_is_done_with_it_for_its_teacher(world: World, row: str, broker: Any) -> None:
    outside = ("anonymous", "stranger", "other pupil", "other teacher")
    statuses = {name: world.ask(world.clients[name], row).status_code for name in outside}
    assert statuses == {"anonymous": 401, "stranger": 404, "other pupil": 404, "other teacher": 404}
    pupil = world.ask(world.clients["pupil"], row)
    if ROWS[row] == OWN_CLASS:
        assert (pupil.status_code, pupil.json()["error"]["code"]) == (403, "not_the_teacher")
    else:
        assert pupil.status_code in (200, 204)
    assert world.ask(world.clients["teacher"], row).status_code in (200, 204, 409)


@pytest.mark.parametrize("row", rows(CLASS_PAGE, JOIN))
def test_pages_of_a_class_say_nothing_of_it_to_whom_they_are_not_for(world: World, row: str) -> None:
    answers = {name: world.ask(world.clients[name], row) for name in world.clients}
    inside = {"pupil", "teacher"} if ROWS[row] == CLASS_PAGE else set(world.clients)
    for name, answer in answers.items():
        assert (answer.status_code == 200) == (name in inside), name
        assert (b"7b physics" in answer.content) == (name in inside), name
        assert (b"quin@example.org" in answer.content) == (name == "teacher" and ROWS[row] == CLASS_PAGE), name


@pytest.mark.parametrize("row", rows(SIGNED_IN))
def test_scripts_sign_in_to_see_ones_classes(world: World, row: str) -> None:
    assert world.ask(world.clients["anonymous"], row).status_code == 401
    stranger = world.ask(world.clients["stranger"], row)
    assert stranger.status_code in (200, 403, 404) and b"7b physics" not in stranger.content


@pytest.mark.parametrize("row", rows(SHARE))
def test_share_for_a_class_opens_for_its_people_alone(world: World, row: str) -> None:
    page, embedded = row.startswith("GET /s/"), row.startswith("GET /embed/")
    slug = world.slugs["class"]
    statuses = {
        name: world.ask(world.clients[name], row, slug).status_code
        for name in ("anonymous", "stranger", "teammate", "other pupil", "other teacher")
    }
    assert statuses.pop("anonymous") == (302 if page else 404 if embedded else 401)
    assert set(statuses.values()) == {404}
    for name in ("pupil", "teacher", "owner"):
        assert world.ask(world.clients[name], row, slug).status_code in ((404,) if embedded else (200, 201, 409)), name


@pytest.mark.parametrize("row", rows(PERSON))
def test_ones_account_is_asked_for_by_signing_in(world: World, row: str) -> None:
    answer = world.ask(world.clients["anonymous"], row)
    assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/accounts/login/")
    stranger = world.ask(world.clients["stranger"], row)
    assert b"ada@example.org" not in stranger.content
    assert ApiToken.objects.filter(pk=world.token.pk).exists()


@pytest.mark.parametrize("row", [row for row in ROWS if ROWS[row] in (RUN, OWN_RUN, MODEL, SWEEP, MAKE, LIST)])
def test_nothing_but_shares_opens_without_signing_in_where_everybody_must(
    world: World, row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "required")
    Run.objects.update(owner=None)
    assert world.ask(world.clients["anonymous"], row).status_code in (401, 302)
    assert world.ask(world.clients["stranger"], row).status_code not in (401, 302)


def test_admin_is_for_staff(world: World) -> None:
    """Whatever stands under /admin/, Django's own lists too: one row for all of it."""
    paths = {path for path, _ in patterns(get_resolver()) if path.startswith(ADMIN)} - OF_SIGNING_IN
    assert len(paths) > 20
    for name in ("anonymous", "stranger", "teammate", "owner"):
        for path in paths:
            concrete = re.sub(r"\{\w+\}", "1", path.partition("(")[0].rstrip("^$"))
            for method in ("GET", "POST"):
                answer = world.clients[name].generic(method, f"/{concrete}")
                assert answer.status_code in (302, 403, 404, 405), (name, method, concrete)
                if answer.status_code == 302:
                    assert "login" in answer["Location"], (name, method, concrete)


async def close_code_of(path: str, client: Client) -> int | None:
    """None where frames come."""
    viewer = Viewer("", "", socket_headers(client))
    viewer.socket.scope["path"] = f"/{path}"
    await viewer.open()
    sent = await viewer.socket.receive_output(timeout=5)
    if sent["type"] == "websocket.close":
        return int(sent["code"])
    await viewer.cut()
    return None


@pytest.mark.django_db(transaction=True)
def test_sockets_open_for_whom_their_pages_do(world: World, broker: Any) -> None:
    def code(path: str, name: str) -> int | None:
        return async_to_sync(close_code_of)(path, world.clients[name])

    run = f"ws/runs/{world.run.id}"
    assert {name: code(run, name) for name in world.clients} == {**dict.fromkeys(world.clients, 4404), "owner": None}
    Run.objects.update(visible=True)
    assert code(run, "anonymous") is None
    closed = dict.fromkeys(("expired", "revoked", "wrong password", "guessed", "truncated", "signed in"), 4410)
    assert {each: code(f"ws/shares/{world.slugs[each]}", "anonymous") for each in closed} == closed
    assert code(f"ws/shares/{world.slugs['open']}", "anonymous") is None
    assert code(f"ws/shares/{world.slugs['signed in']}", "stranger") is None
    of_class = f"ws/shares/{world.slugs['class']}"
    assert {name: code(of_class, name) for name in ("pupil", "teacher", "other pupil", "stranger", "anonymous")} == {
        "pupil": None,
        "teacher": None,
        "other pupil": 4410,
        "stranger": 4410,
        "anonymous": 4410,
    }


@pytest.mark.django_db(transaction=True)
async def test_socket_of_a_run_ends_when_it_is_no_longer_shown(
    world: World, broker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of_runs, "LOOK_AGAIN_S", 0.05)
    run = await sync_to_async(lambda: Run.objects.create(owner=world.ada, visible=True, text="c"))()
    viewer = Viewer(run.id)
    await viewer.open()
    await Run.objects.filter(pk=run.pk).aupdate(visible=False)
    assert await viewer.close_code() == of_runs.UNKNOWN_RUN
