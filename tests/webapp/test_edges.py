"""What is refused before Django has read it: bodies that are too long, and other sites' pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from django.conf import settings

from webapp.asgi import application
from webapp.checkpoints.models import Checkpoint

pytestmark = pytest.mark.django_db(transaction=True)
BODY = {"model": "nobody", "text": "a"}


@pytest.fixture
async def site() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
        yield client


async def test_long_body_is_refused_at_any_address(site: httpx.AsyncClient) -> None:
    long = b" " * (settings.BODY_LIMIT_BYTES + 1)
    for address in ("/api/v1/runs", "/nothing/here"):
        answer = await site.post(address, content=long, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_long")
        assert answer.json()["error"]["limit"] == settings.BODY_LIMIT_BYTES


async def test_long_body_of_undeclared_length_is_refused_while_it_comes(site: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(10 * settings.BODY_LIMIT_BYTES // 65536):
            sent += 65536
            yield b" " * 65536

    answer = await site.post("/api/v1/runs", content=endless(), headers={"content-type": "application/json"})
    assert answer.status_code == 413


async def test_picture_has_a_limit_of_its_own_and_is_not_read_beyond_it(site: httpx.AsyncClient) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 65536
            yield b"\x89PNG\r\n\x1a\n" + bytes(65528)

    answer = await site.post("/api/v1/pictures", content=endless(), headers={"content-type": "image/png"})
    assert (answer.status_code, answer.json()["error"]["limit"]) == (413, settings.PICTURE_LIMIT_BYTES)
    assert settings.BODY_LIMIT_BYTES < read <= settings.PICTURE_LIMIT_BYTES + 65536


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:9000", "null"])
async def test_another_sites_page_changes_nothing(site: httpx.AsyncClient, checkpoint: Checkpoint, origin: str) -> None:
    answer = await site.post("/api/v1/runs", json={"model": "tiny", "text": "a"}, headers={"origin": origin})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "foreign_origin")


@pytest.mark.parametrize("headers", [{}, {"origin": "http://localhost:8000"}])
async def test_scripts_and_our_own_pages_may_ask(site: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await site.post("/api/v1/runs", json=BODY, headers=headers)
    assert answer.json()["error"]["code"] == "unknown_model"


async def test_unknown_host_is_refused(site: httpx.AsyncClient) -> None:
    answer = await site.get("/api/v1/models", headers={"host": "evil.example"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize("address", ["/api/v1/", "/api/v1/nothing", "/api/v1/runs/..%2f..", "/api/v1/runs/r/maps/s/x"])
async def test_api_says_in_its_own_shape_that_nothing_is_there(site: httpx.AsyncClient, address: str) -> None:
    answer = await site.get(address)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_api_says_in_its_own_shape_which_methods_it_takes(site: httpx.AsyncClient) -> None:
    answer = await site.put("/api/v1/runs", json=BODY)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, POST")
    assert "GET, POST, not PUT" in answer.json()["error"]["message"]


@pytest.mark.parametrize("address", ["/", "/runs/nobody"])
async def test_pages_are_only_read(site: httpx.AsyncClient, address: str) -> None:
    """A PUT on a page was answered as if it were a GET. Without the token of a form it is refused before it is read."""
    assert (await site.put(address)).status_code in (403, 405)


async def test_pages_allow_no_foreign_and_no_inline_script(site: httpx.AsyncClient) -> None:
    policy = (await site.get("/healthz")).headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1].split(";")[0]


async def test_api_describes_itself(site: httpx.AsyncClient) -> None:
    described = (await site.get("/api/v1/openapi.json")).json()
    assert described["openapi"].startswith("3.")
    assert {
        "/api/v1/models",
        "/api/v1/runs",
        "/api/v1/runs/{run_id}",
        "/api/v1/runs/{run_id}/maps/{site}/{head}",
        "/api/v1/runs/{run_id}/probabilities",
    } <= set(described["paths"])
