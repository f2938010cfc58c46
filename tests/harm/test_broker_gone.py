"""The broker is away for long: people read and ask as before, and what was accepted is done soon after it is back."""

from __future__ import annotations

import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests.faults.ledger import frames_of, twice
from tests.running import RunningSite, free_port
from webapp.supervise import broker as own_broker

TEXT = "In the beginning God created"
AWAY_S = float(os.environ.get("BROKER_GONE_S", "60"))
"""The recipe's are five minutes: BROKER_GONE_S=300. A minute is longer than every lease and every pause."""
DONE_S = 30.0
PAGES = ("/", "/runs", "/train", "/library", "/accounts/login/", "/api/v1/docs")
READ = ("/api/v1/models", "/api/v1/runs", "/api/v1/trainings", "/api/v1/library", "/api/v1/openapi.json")


class Broker:
    """One of our own making, so that no supervisor brings it back before we do."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        folder.mkdir()
        self.start()

    def start(self) -> None:
        command = [
            str(own_broker.binary()),
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--dir",
            str(self._folder),
        ]
        command += ["--appendonly", "yes", "--save", ""]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        client = redis.Redis(port=self.port)
        for _ in range(200):
            try:
                client.ping()
                return
            except redis.RedisError:
                time.sleep(0.05)
        raise AssertionError("the broker did not start")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker")
    yield made
    made.kill()


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[RunningSite]:
    running = RunningSite(tmp_path / "data", workers=2, REDIS_URL=f"redis://127.0.0.1:{broker.port}/0")
    yield running
    running.stop()


def ask(site: RunningSite, method: str, path: str, **body: Any) -> httpx.Response:
    # A script, that keeps none of what pages leave behind.
    site.http.cookies.clear()
    answer = site.http.request(method, path, **body)
    assert answer.status_code < 500 or answer.status_code == 503, f"{method} {path}: {answer.text[:300]}"
    return answer


@pytest.mark.timeout(600)
def test_nobody_sees_a_failure_and_nothing_accepted_is_lost(site: RunningSite, broker: Broker) -> None:
    done = site.traced("prose", TEXT)["id"]
    begun = site.submit("prose", TEXT, kind="generate", generate={"max_tokens": 60})
    of_a_run = ("", "/tokens", "/thumbnail", "/maps/decoder.self.0/0?rows=0:2&cols=0:2")
    paths = [*PAGES, *READ, f"/runs/{done}", *(f"/api/v1/runs/{done}{more}" for more in of_a_run)]
    assert [path for path in paths if ask(site, "GET", path).status_code == 503] == []
    broker.kill()
    accepted, answers, away_until, slowest = [begun], Counter[int](), time.monotonic() + AWAY_S, Counter[str]()
    while time.monotonic() < away_until:
        for path in paths:
            answer = ask(site, "GET", path)
            assert answer.status_code != 503 or "/maps/" in path, f"{path} needs no broker: {answer.text[:200]}"
            slowest[path] = max(slowest[path], round(answer.elapsed.total_seconds() * 1000))
        assert ask(site, "GET", "/healthz").status_code == 200
        ready = ask(site, "GET", "/readyz")
        assert ready.status_code == 503
        slowest["/readyz"] = max(slowest["/readyz"], round(ready.elapsed.total_seconds() * 1000))
        answer = ask(site, "POST", "/api/v1/runs", json={"kind": "trace", "model": "prose", "text": TEXT})
        answers[answer.status_code] += 1
        slowest["POST"] = max(slowest["POST"], round(answer.elapsed.total_seconds() * 1000))
        if answer.status_code == 201:
            accepted.append(answer.json()["id"])
        else:
            assert answer.status_code == 503 and answer.headers.get("Retry-After", "").isdigit(), answer.text
        time.sleep(1)
    broker.start()
    back = time.monotonic()
    ends = [site.wait(run, 120) for run in accepted]
    took_s = time.monotonic() - back
    print(f"runs asked for: {dict(answers)}; {len(accepted)} accepted, done {took_s:.1f} s after it was back")
    print(f"the slowest while it was away, in ms: {slowest.most_common(5)}")
    assert [end["error"] for end in ends] == [None] * len(accepted)
    assert took_s < DONE_S
    for run in accepted:
        assert twice(frames_of(site.data, run)) == ""
    assert ask(site, "GET", "/readyz").status_code == 200
