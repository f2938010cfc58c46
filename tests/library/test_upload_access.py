"""Who may reach the addresses of uploads, which Django's own table does not know (tests/webapp/test_access.py)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings

from tests.webapp.people import client_of, person
from webapp.accounts.models import ApiToken
from webapp.asgi import application
from webapp.library.arriving import Declared, declare
from webapp.library.models import ArrivingFile

pytestmark = pytest.mark.django_db(transaction=True)
EVERYBODY, OWNER = "everybody may", "whoever brings it"
ROOT, FILE = "/api/v1/uploads", "/api/v1/uploads/{file}"
ROWS = {
    f"OPTIONS {ROOT}": EVERYBODY,
    f"OPTIONS {FILE}": EVERYBODY,
    f"POST {ROOT}": EVERYBODY,
    f"HEAD {FILE}": OWNER,
    f"PATCH {FILE}": OWNER,
    f"DELETE {FILE}": OWNER,
}
METHODS = ["OPTIONS", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "QUERY"]
CONTENT = b"0123456789"
TOLD = {
    "tus-resumable": "1.0.0",
    "upload-length": str(len(CONTENT)),
    "upload-offset": "0",
    "content-type": "application/offset+octet-stream",
    "origin": "http://localhost:8000",
}


@pytest.fixture
async def site() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=TOLD) as client:
        yield client


@sync_to_async
def made() -> tuple[ArrivingFile, dict[str, dict[str, str]]]:
    """A file that Ada is bringing, and how each who tries to reach it shows who that is."""

    def cookie(name: str, role: str = "member") -> dict[str, str]:
        client = client_of(person(name, role, None))
        return {"cookie": f"sessionid={client.cookies['sessionid'].value}"}

    ada = person("ada", password=None)
    file = declare(ada, "Hers", [Declared("model.safetensors", len(CONTENT))]).files.get()
    read, write = (ApiToken.make(ada, "hers", scopes)[1] for scopes in (["read"], ["read", "run"]))
    session = client_of(ada).cookies["sessionid"].value
    return file, {
        "owner": {"cookie": f"sessionid={session}"},
        "owner's token": {"authorization": f"Bearer {write}"},
        "reading token": {"authorization": f"Bearer {read}"},
        "made up token": {"authorization": "Bearer hl_made_up"},
        "teammate": cookie("ben", "teacher"),
        "stranger": cookie("cy"),
        "anonymous": {},
    }


async def ask(site: httpx.AsyncClient, row: str, file: str, headers: dict[str, str]) -> int:
    method, address = row.split()
    content = CONTENT if method in ("POST", "PATCH") else None
    return (await site.request(method, address.format(file=file), headers=headers, content=content)).status_code


@pytest.mark.parametrize("address", [ROOT, FILE])
async def test_what_has_no_row_is_no_address(site: httpx.AsyncClient, address: str) -> None:
    file, people = await made()
    for method in METHODS:
        if f"{method} {address}" not in ROWS:
            assert await ask(site, f"{method} {address}", file.id, people["owner"]) == 405, method


@pytest.mark.parametrize("row", [row for row, kind in ROWS.items() if kind == OWNER])
async def test_upload_is_there_for_whoever_brings_it_alone(site: httpx.AsyncClient, row: str) -> None:
    file, people = await made()
    told = {name: await ask(site, row, file.id, people[name]) for name in ("anonymous", "stranger", "teammate")}
    assert told == dict.fromkeys(told, 404)
    assert await ask(site, row, "0" * 32, people["owner"]) == 404
    assert await ask(site, row, file.id[:-1], people["owner"]) == 404
    assert await ask(site, row, file.id, people["made up token"]) == 401
    reading = await ask(site, row, file.id, people["reading token"])
    assert reading == (200 if row.startswith("HEAD") else 403)
    assert file.path.stat().st_size == 0
    assert await ask(site, row, file.id, people["owner's token"]) in (200, 204)


@pytest.mark.parametrize("row", [row for row, kind in ROWS.items() if kind == OWNER])
async def test_owner_reaches_it_by_signing_in(site: httpx.AsyncClient, row: str) -> None:
    file, people = await made()
    assert await ask(site, row, file.id, people["owner"]) in (200, 204)


@pytest.mark.parametrize("row", [row for row in ROWS if not row.startswith("OPTIONS")])
async def test_nothing_is_brought_without_signing_in_where_everybody_must(
    site: httpx.AsyncClient, row: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "required")
    file, people = await made()
    assert await ask(site, row, file.id, people["anonymous"]) == 401
    assert await ask(site, row, file.id, people["owner"]) in (200, 201, 204)
