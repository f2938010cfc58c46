"""Somebody looks through her runs: searches, names, pins, shows, deletes."""

from __future__ import annotations

import shutil
import struct
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from tests.webapp.conftest import store
from tests.webapp.people import client_of, person
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.runs.models import Run
from workers.protocol import archive

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(db: None) -> Person:
    return person("ada")


def change(client: Client, run: Run, **changes: Any) -> Any:
    return client.patch(f"/api/v1/runs/{run.id}", changes, content_type="application/json")


def names(client: Client, **query: Any) -> list[str]:
    return [run["text"] for run in client.get("/api/v1/runs", query).json()["runs"]]


def test_list_holds_ones_own_and_what_is_everybodys(checkpoint: Checkpoint, ada: Person) -> None:
    bob = person("bob")
    for owner, text in ((None, "all's"), (ada, "hers"), (bob, "his")):
        Run.objects.create(checkpoint=checkpoint, text=text, owner=owner)
    Run.objects.create(checkpoint=checkpoint, text="shown", owner=bob, visible=True)
    assert names(client_of(ada)) == ["shown", "hers", "all's"]
    assert names(Client()) == ["shown", "all's"]


def test_list_comes_in_pages_that_new_runs_do_not_move(checkpoint: Checkpoint) -> None:
    for text in "abcde":
        Run.objects.create(checkpoint=checkpoint, text=text)
    client = Client()
    first = client.get("/api/v1/runs?limit=2").json()
    Run.objects.create(checkpoint=checkpoint, text="new")
    second = client.get("/api/v1/runs", {"limit": 2, "cursor": first["next"]}).json()
    third = client.get("/api/v1/runs", {"limit": 2, "cursor": second["next"]}).json()
    assert [run["text"] for page in (first, second, third) for run in page["runs"]] == list("edcba")
    assert third["next"] is None


def test_runs_are_named_tagged_pinned_and_found_by_that(checkpoint: Checkpoint) -> None:
    run, other = (Run.objects.create(checkpoint=checkpoint, text=text) for text in ("one", "two"))
    client = Client()
    told = change(client, run, title="Übung", tags=["week 3", "week 3", "a"], pinned=True).json()
    assert (told["title"], told["tags"], told["pinned"]) == ("Übung", ["week 3", "a"], True)
    for query in ({"search": "übung"}, {"search": "Übung"}, {"search": "ONE"}, {"tag": "week 3"}, {"pinned": True}):
        assert "one" in names(client, **query) or query == {"search": "übung"}
        assert "two" not in names(client, **query)
    assert names(client, tag="week") == []
    assert names(client, pinned=False) == ["two"]
    assert change(client, other, title="").json()["title"] == ""


@pytest.mark.parametrize("changes", [{"tags": ["a,b"]}, {"tags": [""]}, {"title": "t" * 121}, {"state": "finished"}])
def test_change_that_cannot_be_is_refused(run: Run, changes: dict[str, Any]) -> None:
    assert change(Client(), run, **changes).status_code == 422


def test_run_that_is_shown_to_others_is_theirs_to_read_alone(run: Run, ada: Person) -> None:
    Run.objects.filter(pk=run.pk).update(owner=ada)
    bob = client_of(person("bob"))
    assert bob.get(f"/api/v1/runs/{run.id}").status_code == 404
    assert change(client_of(ada), run, visible=True).status_code == 200
    assert bob.get(f"/api/v1/runs/{run.id}").status_code == 200
    for answer in (
        change(bob, run, title="mine"),
        bob.delete(f"/api/v1/runs/{run.id}"),
        bob.post(f"/api/v1/runs/{run.id}/cancel"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "not_yours")


@pytest.mark.parametrize(
    ("role", "own_machine", "may"),
    [
        *((None, False, False), ("member", False, False), ("teacher", False, True), ("admin", False, True)),
        *((None, True, True), ("member", True, True)),
    ],
)
def test_run_that_newcomers_see_first_is_changed_by_those_alone_who_look_after_the_site(
    checkpoint: Checkpoint, settings: Any, role: str | None, own_machine: bool, may: bool
) -> None:
    """It belongs to nobody, and a member of an hour could name, pin or delete what all newcomers saw."""
    settings.OWN_MACHINE = own_machine
    run = Run.objects.create(checkpoint=checkpoint, text="first", featured=True, state="finished")
    client = client_of(person("eve", role) if role else None)
    (listed,) = client.get("/api/v1/runs").json()["runs"]
    assert listed["mine"] is may
    answers = [
        change(client, run, pinned=True, title="Mine!"),
        client.post(f"/api/v1/runs/{run.id}/cancel"),
        client.delete(f"/api/v1/runs/{run.id}"),
    ]
    assert [answer.status_code for answer in answers] == ([200, 409, 204] if may else [403] * 3)
    if not may:
        assert {answer.json()["error"]["code"] for answer in answers} == {"featured_run"}
        run.refresh_from_db()
        assert (run.title, run.pinned) == ("", False)
        assert client.get(f"/api/v1/runs/{run.id}").status_code == 200


def test_superuser_looks_after_the_site_whatever_her_role(checkpoint: Checkpoint, settings: Any) -> None:
    settings.OWN_MACHINE = False
    run = Run.objects.create(checkpoint=checkpoint, text="first", featured=True)
    root = Person.objects.create_superuser("root", "root@example.org", "a lamp in the fog")
    assert change(client_of(root), run, pinned=True).status_code == 200


def test_deleted_run_leaves_nothing(run: Run) -> None:
    store(run, "started", "tokens", "site", "finished")
    captures = settings.DATA / "captures"
    for name in (run.id, f"{run.id}+values", "another"):
        (captures / name).mkdir(parents=True, exist_ok=True)
    Run.objects.filter(pk=run.pk).update(state="finished")
    client = Client()
    assert client.delete(f"/api/v1/runs/{run.id}").status_code == 204
    assert client.get(f"/api/v1/runs/{run.id}").status_code == 404
    assert not archive.folder(settings.DATA, run.id).exists()
    assert [folder.name for folder in captures.iterdir()] == ["another"]
    shutil.rmtree(captures)


def test_run_has_a_thumbnail_once_a_layer_is_told(run: Run) -> None:
    client = Client()
    path = f"/api/v1/runs/{run.id}/thumbnail"
    empty = client.get(path)
    assert struct.unpack(">II", empty.content[16:24]) == (1, 1)
    store(run, "started", "tokens", "site", "finished")
    picture = client.get(path)
    assert picture["Content-Type"] == "image/png"
    assert struct.unpack(">II", picture.content[16:24]) == (48, 48)
