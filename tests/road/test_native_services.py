"""The services of docker-compose.yml as processes: PostgreSQL, a Valkey with a file, two of the web, the workers."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import pytest

from tests.library.models import good
from tests.running import HOUSE, free_port
from webapp.deploy.native import postgres

START_S = 120


def _has_postgres() -> bool:
    try:
        postgres("initdb")
    except FileNotFoundError:
        return False
    return True


pytestmark = pytest.mark.skipif(not _has_postgres(), reason="PostgreSQL is not installed: apt-get install postgresql")


class Services:
    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.start()

    def start(self) -> None:
        # PostgreSQL's user has to pass where only ours may look; pytest closes its folders again.
        for path in list(self.folder.parents)[:3]:
            path.chmod(0o711)
        command = [sys.executable, "-m", "webapp.deploy.native", "--data", str(self.folder), "--port", str(self.port)]
        inherited = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}
        self.log = (self.folder.parent / "log").open("ab")
        self.process = subprocess.Popen(command, cwd=HOUSE, env=inherited, stdout=self.log, stderr=subprocess.STDOUT)
        self.until_ready()

    def until_ready(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            try:
                if self.ask("GET", "/readyz").status_code == 200 and self.ask("GET", "/readyz", 1).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.3)

    def said(self) -> str:
        return (self.folder.parent / "log").read_text()[-4000:]

    def ask(self, method: str, path: str, web: int = 0, **body: Any) -> httpx.Response:
        return httpx.request(method, f"http://127.0.0.1:{self.port + web}{path}", timeout=30, **body)

    def processes(self, words: str) -> list[psutil.Process]:
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in family if re.search(words, " ".join(child.cmdline()))]

    def submit(self, **body: Any) -> str:
        answer = self.ask("POST", "/api/v1/runs", json={"model": "prose", **body})
        assert answer.status_code == 201, answer.text
        run: str = answer.json()["id"]
        return run

    def traced(self, text: str, **body: Any) -> str:
        return self.finished(self.submit(kind="trace", text=text, **body))

    def bucket(self) -> Any:
        """With the keys of the site's own secrets."""
        key, secret = ((self.folder / "secrets" / f"storage_{name}_key").read_text() for name in ("access", "secret"))
        opened = {"aws_access_key_id": key, "aws_secret_access_key": secret, "region_name": "us-east-1"}
        return boto3.resource("s3", endpoint_url=f"http://127.0.0.1:{self.port + 4}", **opened).Bucket("headlight")

    def finished(self, run: str) -> str:
        deadline = time.monotonic() + 60
        while self.ask("GET", f"/api/v1/runs/{run}", 1).json()["state"] != "finished":
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.2)
        return run

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=30)
        self.log.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    folder = tmp_path_factory.mktemp("native")
    services = Services(folder / "services")
    yield services
    services.stop()


def test_run_goes_through_postgres_and_both_of_the_web(running: Services) -> None:
    run = running.traced("the cat sat, the cat sat")
    assert running.ask("GET", f"/api/v1/runs/{run}", 1).json()["tokens"]


def test_no_secret_is_in_the_list_of_processes_or_in_a_workers_environment(running: Services) -> None:
    secrets = {path.name: path.read_text() for path in (running.folder / "secrets").iterdir()}
    family = psutil.Process(running.process.pid).children(recursive=True)
    assert len(family) >= 7
    for child in family:
        told = " ".join(child.cmdline())
        assert not any(secret in told for secret in secrets.values()), child.name()
        if "celery" in told:
            assert "database_url" not in " ".join(child.environ().values())


def test_broker_that_is_killed_comes_back_with_its_file_and_runs_go_on(running: Services) -> None:
    (broker,) = running.processes("valkey")
    broker.kill()
    running.until_ready()
    running.traced("after the broker came back")
    assert any((running.folder / "broker" / "appendonlydir").iterdir())


def test_database_that_is_killed_is_told_of_and_what_workers_do_meanwhile_is_not_lost(running: Services) -> None:
    run = running.submit(kind="generate", text="In the beginning", generate={"max_tokens": 60})
    told: set[int] = set()
    files = {"name": "begun", "files": [{"name": "model.safetensors", "size_bytes": 8}]}
    upload = running.ask("POST", "/api/v1/arrivals", json=files).json()["files"][0]["address"]
    assert running.ask("HEAD", upload, headers={"tus-resumable": "1.0.0"}).status_code == 200
    # At once and with all that it has open, as where it is broken.
    for process in running.processes(r"postgres -D"):
        process.send_signal(signal.SIGQUIT)
    until = time.monotonic() + START_S
    while running.ask("GET", "/readyz").status_code != 200 or 503 not in told:
        assert time.monotonic() < until, running.said()
        for path in ("/", "/train", f"/runs/{run}", "/api/v1/models", f"/api/v1/runs/{run}"):
            answer = running.ask("GET", path)
            told.add(answer.status_code)
            assert answer.status_code != 503 or answer.headers["Retry-After"] == "5"
        assert running.ask("GET", "/healthz").status_code == 200
    assert 503 in told and told <= {200, 503}
    running.until_ready()
    running.finished(run)
    running.traced("after the database came back")
    assert running.ask("HEAD", upload, headers={"tus-resumable": "1.0.0"}).status_code == 200
    running.ask("DELETE", upload, headers={"tus-resumable": "1.0.0"})


def test_model_that_is_brought_lies_in_the_bucket_byte_for_byte(running: Services) -> None:
    files = good()
    told = [{"name": name, "size_bytes": len(content)} for name, content in files.items()]
    arrival = running.ask("POST", "/api/v1/arrivals", json={"name": "lamp", "files": told}).json()
    for file in arrival["files"]:
        headers = {"tus-resumable": "1.0.0", "upload-offset": "0", "content-type": "application/offset+octet-stream"}
        sent = running.ask("PATCH", file["address"], 1, content=files[file["name"]], headers=headers)
        assert sent.status_code == 204, sent.text
    deadline = time.monotonic() + 90
    while (state := running.ask("GET", f"/api/v1/arrivals/{arrival['id']}").json())["state"] != "ready":
        assert state["state"] != "refused" and time.monotonic() < deadline, (state, running.said())
        time.sleep(0.3)
    bucket = running.bucket()
    stored = {each.key: each.get()["Body"].read() for each in bucket.objects.all()}
    assert {key.rpartition("/")[2] for key in stored} == {hashlib.sha256(each).hexdigest() for each in stored.values()}
    assert files["model.safetensors"] in stored.values() and len(stored) == len(files)
    assert running.traced("the old lamp", model=state["model"])


def test_everything_is_there_after_a_restart(running: Services) -> None:
    run = running.traced("kept over a restart")
    running.stop()
    running.start()
    assert running.ask("GET", f"/api/v1/runs/{run}").json()["state"] == "finished"
    running.traced("and it still works")
