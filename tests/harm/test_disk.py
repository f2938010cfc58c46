"""A disk that is full: who asks is told so, what is there can be read, and all goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.faults.ledger import frames_of, twice
from tests.running import RunningSite

TEXT = "In the beginning God created"
SIZE_MEBIBYTES = 512
RECOVERED_S = 60.0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MEBIBYTES}m", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("a disk can be made by root alone, where the system lets it")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(place: Path) -> Path:
    """Takes all the room that is left, to the last byte."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    with filler.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(256))
    return filler


@pytest.mark.timeout(300)
def test_full_disk_is_told_and_what_is_there_is_read_until_there_is_room_again(small_disk: Path) -> None:
    site = RunningSite(small_disk / "data", workers=1)
    try:
        before = site.traced("prose", TEXT)["id"]
        filler = fill(small_disk)
        body = {"kind": "trace", "model": "prose", "text": TEXT}
        refused = [site.http.post("/api/v1/runs", json=body) for _ in range(3)]
        assert {answer.status_code for answer in refused} <= {201, 503, 507}
        assert all(answer.json()["error"]["message"] for answer in refused if answer.status_code != 201)
        upload = {"name": "a", "files": [{"name": "model.safetensors", "size_bytes": 10**6}]}
        answer = site.http.post("/api/v1/arrivals", json=upload)
        assert (answer.status_code, answer.headers["Retry-After"]) == (507, "60")
        for path in ("/", "/healthz", f"/api/v1/runs/{before}", f"/api/v1/runs/{before}/maps/decoder.self.0/0"):
            assert site.http.get(path).status_code == 200, path
        time.sleep(5)
        filler.unlink()
        until = time.monotonic() + RECOVERED_S
        while site.http.post("/api/v1/runs", json=body).status_code != 201:
            assert time.monotonic() < until
            time.sleep(1)
        promised = [answer.json()["id"] for answer in refused if answer.status_code == 201]
        for run in [*promised, site.submit("prose", TEXT)]:
            told = site.wait(run, 120)
            # One that was promised may have ended in words, where its frames found no room.
            assert told["state"] == "finished" or (run in promised and told["error"]["message"]), told
        assert site.http.post("/api/v1/arrivals", json=upload).status_code == 201
        assert twice(frames_of(site.data, before)) == ""
    except httpx.TransportError as error:
        raise AssertionError("\n".join(site.log[-40:])) from error
    finally:
        site.stop()
