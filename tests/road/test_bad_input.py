"""What cannot be done is refused with a clear sentence, and the worker lives on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.running import RunningSite

TEXT = "In the beginning"


@pytest.fixture(autouse=True)
def worker_lives_on(site: RunningSite) -> Iterator[None]:
    def alive() -> list[psutil.Process]:
        return site.children("celery")

    before = alive()
    yield
    assert alive() == before
    assert site.traced("prose", TEXT)["state"] == "finished"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"text": ""}, 422, "empty_text"),
        ({"text": "x" * 100_000}, 422, "text_too_long"),
        ({"text": "a\0b"}, 422, "nul_character"),
        ({"text": "a", "model": "nobody"}, 404, "unknown_model"),
        ({"ids": [10**9]}, 422, "id_out_of_range"),
    ],
)
def test_request_that_cannot_be_done_is_refused(
    site: RunningSite, body: dict[str, Any], status: int, code: str
) -> None:
    answer = site.http.post("/api/v1/runs", json={"kind": "trace", "model": "prose", **body})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["error"]["message"].endswith(".")


def test_text_longer_than_the_positions_fails_with_both_numbers(site: RunningSite) -> None:
    positions = next(m for m in site.http.get("/api/v1/models").json()["models"] if m["id"] == "prose")["positions"]
    told = site.wait(site.submit("prose", "a b " * positions))
    assert (told["state"], told["error"]["code"]) == ("failed", "text_too_long")
    assert f"{positions:,}" in told["error"]["message"] or str(positions) in told["error"]["message"]
    last = [event for event, _ in site.frames(told["id"])][-1]
    assert last.type == "failed"


def test_upload_where_json_was_expected_is_refused(site: RunningSite) -> None:
    answer = site.http.post("/api/v1/runs", files={"file": b"\x00\x01"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "json_expected")


def test_socket_of_another_sites_page_is_refused(site: RunningSite) -> None:
    run = site.submit("prose", TEXT)
    with pytest.raises(InvalidStatus) as refused:
        connect(f"ws://127.0.0.1:{site.port}/ws/runs/{run}", origin="http://evil.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403
