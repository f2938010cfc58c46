"""The web process is killed in the midst of an upload: it goes on at its offset, and the file is the same at last."""

from __future__ import annotations

import hashlib
import http.client
import random
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.harm.processes import kill, until
from tests.library.models import good
from tests.running import RunningSite

KILLS = 4
"""A supervisor ends the site when its web has died five times in a minute."""
WIDTH = 768
PART_BYTES, PIECE_BYTES = 12 << 20, 256 << 10
TUS = {"tus-resumable": "1.0.0"}
WEIGHTS = "model.safetensors"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path / "data", workers=1)
    yield running
    running.stop()


def offset(site: RunningSite, address: str) -> int:
    answer = site.http.head(address, headers=TUS)
    assert answer.status_code == 200, answer.status_code
    return int(answer.headers["upload-offset"])


def send(site: RunningSite, address: str, start: int, content: bytes) -> httpx.Response:
    headers = {**TUS, "upload-offset": str(start), "content-type": "application/offset+octet-stream"}
    return site.http.patch(address, content=content, headers=headers)


def send_and_kill(site: RunningSite, address: str, start: int, content: bytes, cut: int) -> None:
    """Sends a part whose receiver is killed when it was sent `cut` bytes of it."""
    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=30)
    line.putrequest("PATCH", address)
    headers = {**TUS, "Upload-Offset": str(start), "Content-Type": "application/offset+octet-stream"}
    for name, value in {**headers, "Content-Length": str(len(content))}.items():
        line.putheader(name, value)
    line.endheaders()
    for place in range(0, cut, PIECE_BYTES):
        line.send(content[place : min(place + PIECE_BYTES, cut)])
        time.sleep(0.005)
    kill(site, "uvicorn")
    line.close()
    until(lambda: site.http.get("/healthz").status_code == 200)


def not_usable(site: RunningSite, arrival: str) -> None:
    told = site.http.get(f"/api/v1/arrivals/{arrival}").json()
    assert (told["state"], told["model"]) == ("uploading", None)
    assert "half" not in {model["id"] for model in site.http.get("/api/v1/models").json()["models"]}
    asked = site.http.post("/api/v1/runs", json={"kind": "trace", "model": "half", "text": "the old lamp"})
    assert 400 <= asked.status_code < 500, asked.text
    assert not list((site.data / "blobs").glob("??/*"))


@pytest.mark.timeout(300)
def test_upload_goes_on_where_it_was_after_each_kill_and_is_the_same_file(site: RunningSite) -> None:
    files, chance = good(WIDTH), random.Random(3)
    weights = files[WEIGHTS]
    declared = [{"name": name, "size_bytes": len(content)} for name, content in files.items()]
    answer = site.http.post("/api/v1/arrivals", json={"name": "half", "files": declared})
    assert answer.status_code == 201, answer.text
    arrival, addresses = answer.json()["id"], {file["name"]: file["address"] for file in answer.json()["files"]}
    for name, content in files.items():
        if name != WEIGHTS:
            assert send(site, addresses[name], 0, content).status_code == 204
    address, there, kept = addresses[WEIGHTS], 0, []
    for _ in range(KILLS):
        part = weights[there : there + PART_BYTES]
        cut = chance.randrange(len(part))
        send_and_kill(site, address, there, part, cut)
        now = offset(site, address)
        assert there <= now <= there + cut, "what was answered for is never lost, and nothing is made up"
        kept.append((now - there, cut))
        not_usable(site, arrival)
        for wrong in {0, now + 1, max(0, now - 1)} - {now}:
            refused = send(site, address, wrong, weights[wrong : wrong + 1000])
            assert refused.status_code == 409, refused.text
        assert offset(site, address) == now
        # A whole part, and the same once more.
        part = weights[now : now + (1 << 20)]
        assert send(site, address, now, part).status_code == 204
        assert send(site, address, now, part).status_code == 409
        there = offset(site, address)
        assert there == now + len(part)
    print(f"{KILLS} kills; of the bytes sent before each, kept: {kept}")
    assert any(0 < held < cut for held, cut in kept), "none was killed in the midst of what it wrote"
    while there < len(weights):
        assert send(site, address, there, weights[there : there + PART_BYTES]).status_code == 204
        there = min(there + PART_BYTES, len(weights))
    until(lambda: site.http.get(f"/api/v1/arrivals/{arrival}").json()["state"] in ("ready", "refused"))
    told = site.http.get(f"/api/v1/arrivals/{arrival}").json()
    assert told["state"] == "ready", told
    sha256 = hashlib.sha256(weights).hexdigest()
    blob = site.data / "blobs" / sha256[:2] / sha256
    assert hashlib.sha256(blob.read_bytes()).hexdigest() == sha256
    assert site.traced(told["model"], "the old lamp")["state"] == "finished"
