"""Somebody looks after her account: keys for scripts, her data as a zip, and an end to all of it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from tests.webapp.conftest import store
from tests.webapp.people import PASSWORD, bearer, client_of, person
from webapp import stream
from webapp.accounts.models import ApiToken, Person
from webapp.accounts.ownership import may_teach
from webapp.runs.models import Run
from webapp.shares import kept
from webapp.shares.models import ShareLink
from workers.protocol import archive

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada(run: Run) -> Person:
    """She has a run and a share of it."""
    ada = person("ada")
    Run.objects.filter(pk=run.pk).update(owner=ada, state="finished")
    store(run, "started", "tokens", "site", "finished")
    share = ShareLink.objects.create(run=run, owner=ada, record={}, password="secret hash")
    kept.keep_frames(share.folder, stream.stored_frames(run.id))
    return ada


def test_account_shows_what_one_may_use(ada: Person) -> None:
    page = client_of(ada).get("/account").content.decode()
    assert "ada@example.org" in page and "runs a minute" in page and "30" in page


def test_key_is_shown_once_and_stored_as_a_hash(ada: Person) -> None:
    client = client_of(ada)
    page = client.post("/account/tokens", {"name": "lab", "scopes": ["read", "nonsense"]}).content.decode()
    (token,) = ApiToken.objects.all()
    text = page.split("<code>hl_")[1].split("</code>")[0]
    assert token.scopes == ["read"]
    assert text not in client.get("/account").content.decode()
    assert text not in str(ApiToken.objects.values().get())
    assert client.get("/api/v1/runs", headers={"authorization": f"Bearer hl_{text}"}).status_code == 200


def test_deleted_key_opens_nothing(ada: Person) -> None:
    headers = bearer(ada, "read")
    (token,) = ApiToken.objects.all()
    client_of(person("bob")).post(f"/account/tokens/{token.pk}/revoke")
    assert client_of(None).get("/api/v1/runs", headers=headers).status_code == 200
    client_of(ada).post(f"/account/tokens/{token.pk}/revoke")
    answer = client_of(None).get("/api/v1/runs", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_token")


def test_key_without_a_name_is_not_made(ada: Person) -> None:
    assert client_of(ada).post("/account/tokens", {"scopes": ["read"]}).status_code == 422
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/v1/runs", "read"),
        ("POST", "/api/v1/runs", "run"),
        ("POST", "/api/v1/trainings", "train"),
        ("POST", "/api/v1/sweeps", "train"),
        ("POST", "/api/v1/models/tiny/lens", "train"),
        ("POST", "/api/v1/shares", "share"),
    ],
)
def test_key_does_what_it_is_for_and_nothing_else(ada: Person, method: str, path: str, scope: str) -> None:
    others = [each for each in ApiToken.Scope.values if each != scope]

    def ask(*scopes: str) -> Any:
        return client_of(None).generic(method, path, "{}", "application/json", headers=bearer(ada, *scopes))

    refused = ask(*others)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "token_scope")
    assert ask(scope).status_code in (200, 422)


def test_key_opens_no_page(ada: Person) -> None:
    assert client_of(None).get("/account", headers=bearer(ada, *ApiToken.Scope.values)).status_code == 302


def test_data_is_taken_along_without_secrets(ada: Person, run: Run) -> None:
    bearer(ada, "read")
    packed = client_of(ada).post("/account/export").content
    with zipfile.ZipFile(io.BytesIO(packed)) as file:
        rows = {name: file.read(name).decode() for name in file.namelist() if name.endswith(".json")}
        frames = file.read(f"runs/{run.id}/1.frames")
    assert json.loads(rows["runs.json"])[0]["text"] == run.text
    assert json.loads(rows["person.json"])[0]["email"] == "ada@example.org"
    assert "argon2" not in "".join(rows.values()) and "secret hash" not in "".join(rows.values())
    assert frames == (archive.folder(settings.DATA, run.id) / "1.frames").read_bytes()


def test_account_is_deleted_with_everything_in_it(ada: Person, run: Run) -> None:
    bearer(ada, "read")
    (share,) = ShareLink.objects.all()
    client = client_of(ada)
    assert client.post("/account/delete", {"password": "wrong"}).status_code == 403
    assert Person.objects.exists()
    assert client.post("/account/delete", {"password": PASSWORD}).status_code == 200
    for rows in (Person, Run, ShareLink, ApiToken):
        assert not rows.objects.exists()  # type: ignore[attr-defined]
    assert not share.folder.exists() and not archive.folder(settings.DATA, run.id).exists()
    assert client.get("/account").status_code == 302


def test_first_admin_whom_createsuperuser_makes_is_one_in_everything() -> None:
    """She was called a member, had a member's limits, and could lead no class."""
    call_command("createsuperuser", interactive=False, username="root", email="root@example.org", verbosity=0)
    root = Person.objects.get(username="root")
    page = client_of(root).get("/account").content.decode()
    assert "root@example.org · admin" in page and "no limit" in page
    assert may_teach(root)
