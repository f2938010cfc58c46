"""Headlight as a person runs it: every process of `./run`, on a port and a data folder of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from workers.protocol import frame
from workers.protocol.frame import Frame

HOUSE = Path(__file__).resolve().parents[1]
START_TIMEOUT_S = 90
ENDED = {"finished", "failed", "cancelled"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RunningSite:
    """`manage.py up` as a child, with its API and sockets at hand."""

    def __init__(self, data: Path, workers: int = 1, trainers: int = 0, **environment: str) -> None:
        self.data, self.port = data, free_port()
        inherited = {name: value for name, value in os.environ.items() if name not in ("REDIS_URL", "DATABASE_URL")}
        self._environment = {**inherited, "HEADLIGHT_DATA": str(data), "PYTHONUNBUFFERED": "1", **environment}
        self._workers, self._trainers = workers, trainers
        self.log: deque[str] = deque(maxlen=400)
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)
        self._start()

    def _start(self) -> None:
        up = [sys.executable, str(HOUSE / "manage.py"), "up", "--port", str(self.port), "--workers", str(self._workers)]
        up += ["--trainers", str(self._trainers)]
        self.process = subprocess.Popen(
            up, cwd=HOUSE, env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        threading.Thread(target=self._drain, args=[self.process], daemon=True).start()
        self.wait_until_ready()

    def _drain(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.log.append(line.rstrip())

    def wait_until_ready(self) -> None:
        """Until it can work; without workers, until it answers."""
        address = "/readyz" if self._workers else "/healthz"
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "\n".join(["it ended while starting:", *self.log])
            try:
                if self.http.get(address).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise AssertionError("\n".join(["it was not ready in time:", *self.log]))

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=15)

    def restart(self) -> None:
        self.stop()
        self._start()

    def children(self, words: str = "") -> list[psutil.Process]:
        """The processes below the supervisor whose command line holds these words."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        return [child for child in family if words in " ".join(child.cmdline())]

    def add_model(self, path: Path) -> None:
        command = [sys.executable, "manage.py", "add_model", str(path)]
        subprocess.run(command, cwd=HOUSE, env=self._environment, check=True, capture_output=True)

    def submit(self, model: str, text: str | None = None, **body: Any) -> str:
        answer = self.http.post("/api/v1/runs", json={"kind": "trace", "model": model, "text": text, **body})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def read(self, run: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.http.get(f"/api/v1/runs/{run}").raise_for_status().json()
        return answer

    def wait(self, run: str, timeout_s: float = 60) -> dict[str, Any]:
        """The run when it has ended, however it has."""
        deadline = time.monotonic() + timeout_s
        while (told := self.read(run))["state"] not in ENDED:
            assert time.monotonic() < deadline, "\n".join([json.dumps(told)[:300], *self.log])
            time.sleep(0.05)
        return told

    def traced(self, model: str, text: str | None = None, **body: Any) -> dict[str, Any]:
        told = self.wait(self.submit(model, text, **body))
        assert told["state"] == "finished", told["error"]
        return told

    def frames(self, run: str, after: int = 0, most: int | None = None) -> Iterator[Frame]:
        """The run's frames from its socket, until the run ends or `most` came; then the socket is cut."""
        url = f"ws://127.0.0.1:{self.port}/ws/runs/{run}?after={after}"
        # No limit of frames not read yet: behind them a viewer that leaves would wait ten seconds for its goodbye.
        with connect(url, max_size=None, max_queue=None, compression=None, open_timeout=20) as viewer:
            count = 0
            while most is None or count < most:
                try:
                    data = viewer.recv(timeout=60)
                except ConnectionClosed as closed:
                    assert closed.rcvd is not None and closed.rcvd.code == 1000, closed
                    return
                assert isinstance(data, bytes)
                count += 1
                yield frame.decode(data)
