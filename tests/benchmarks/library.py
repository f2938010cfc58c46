"""A model of 2 GB is brought: the web process's memory, the speed, two kills in the middle; how soon bad ones go."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from tests.benchmarks.figures import Figure, interleaved, seconds_of
from tests.running import RunningSite

MB = 1e6
PART_BYTES = 32 << 20
WIDTH, VOCABULARY = 4096, 74_000
"""One layer, and an embedding that makes 2 GB."""
WEB_GOAL_BYTES, SPEED_GOAL, HEADER_GOAL_S, VALUES_GOAL_S, ABOVE_GOAL_BYTES = 150e6, 0.5, 5.0, 30.0, 1e9
PROGRAM = "uvicorn"
ROUNDS = 3


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "model")
        site = RunningSite(Path(folder) / "data", workers=0)
        try:
            yield from _speed(site, model, Path(folder) / "copy")
            yield from _killed(site, model)
            yield from _refused(site, model)
        finally:
            site.stop()


def make_model(folder: Path) -> Path:
    """GPT-2's layout. The numbers are finite and do not matter."""
    folder.mkdir()
    config = GPT2Config(n_layer=1, n_head=32, n_embd=WIDTH, vocab_size=VOCABULARY, bos_token_id=0, eos_token_id=0)
    config.save_pretrained(folder)
    with torch.device("meta"):
        state = GPT2LMHeadModel(config).state_dict()
    header: dict[str, Any] = {}
    place = 0
    for name, tensor in state.items():
        if name != "lm_head.weight":
            offsets = [place, place := place + 4 * tensor.numel()]
            header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    block = torch.randn(4 << 20).numpy().tobytes()
    with (folder / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        while place:
            file.write(block[:place])
            place -= min(place, len(block))
    return folder


def _speed(site: RunningSite, model: Path, copy: Path) -> Iterator[Figure]:
    weights = model / "model.safetensors"
    size = weights.stat().st_size
    checksums = _checksums(weights)

    def upload() -> float:
        arrival = declare(site, model, "fast")
        took_s = seconds_of(lambda: send(site, arrival, model, checksums))
        site.http.delete(f"/api/v1/arrivals/{arrival['id']}")
        return took_s

    with Watch(site, PROGRAM) as web, Watch(site, "modelcore.inspection") as inspection:
        plain_s, upload_s = interleaved(ROUNDS, lambda: seconds_of(lambda: _copy_and_hash(weights, copy)), upload)
        copy.unlink()
        arrival = declare(site, model, "ready")
        send(site, arrival, model, checksums)
        ready_s = seconds_of(lambda: verdict(site, arrival["id"]))
    ratio = plain_s / upload_s
    yield Figure("library.copy_and_hash", f"{size / MB / plain_s:.0f} MB/s, {size / 1e9:.2f} GB")
    yield Figure(
        "library.upload_speed",
        f"{size / MB / upload_s:.0f} MB/s, {ratio:.2f} of copy and hash",
        f"at least {SPEED_GOAL} of copy and hash",
        ratio >= SPEED_GOAL,
    )
    yield Figure(
        "library.upload_web_memory",
        f"at most {web.most / MB:.0f} MB, {(web.most - web.first) / MB:.0f} MB more than before",
        f"at most {WEB_GOAL_BYTES / MB:.0f} MB",
        web.most <= WEB_GOAL_BYTES,
    )
    yield Figure("library.ready_after_last_byte", f"{ready_s:.1f} s, inspection {inspection.most / MB:.0f} MB")


def _killed(site: RunningSite, model: Path) -> Iterator[Figure]:
    """The web process is killed at a third and at two thirds; what it had taken stays taken."""
    weights = model / "model.safetensors"
    size, checksums = weights.stat().st_size, _checksums(weights)
    arrival = declare(site, model, "killed", sha256=_hash(weights))
    kills = [size // 3, 2 * size // 3]
    again = []

    def kill(there: int) -> None:
        if kills and there >= kills[0]:
            kills.pop(0)
            began = time.perf_counter()
            for process in site.children(PROGRAM):
                process.kill()
            site.wait_until_ready()
            again.append(time.perf_counter() - began)

    send(site, arrival, model, checksums, kill)
    state = verdict(site, arrival["id"])
    yield Figure(
        "library.killed_twice",
        f"{state}, SHA-256 as sent; back after {', '.join(f'{s:.1f} s' for s in again)}",
        "ready",
        state == "ready" and len(again) == 2,
    )


def _refused(site: RunningSite, model: Path) -> Iterator[Figure]:
    weights = model / "model.safetensors"
    size = weights.stat().st_size
    with weights.open("r+b") as file:
        file.seek(size - 4)
        file.write(b"\x00\x00\xc0\x7f")
    yield from _refusal(site, model, "library.refused_for_a_NaN_at_its_end", VALUES_GOAL_S)
    os.truncate(weights, size - 1)
    yield from _refusal(site, model, "library.refused_for_its_header", HEADER_GOAL_S)


def _refusal(site: RunningSite, model: Path, name: str, goal_s: float) -> Iterator[Figure]:
    arrival = declare(site, model, "bad")
    send(site, arrival, model, {})
    with Watch(site, "modelcore.inspection") as inspection:
        began = time.perf_counter()
        state = verdict(site, arrival["id"])
        took_s = time.perf_counter() - began
    size = sum(path.stat().st_size for path in model.iterdir())
    left = sum(path.stat().st_size for path in (site.data / "arriving").rglob("*") if path.is_file())
    yield Figure(
        name,
        f"{took_s:.1f} s, {inspection.most / MB:.0f} MB, {left} bytes left",
        f"within {goal_s:.0f} s, {(size + ABOVE_GOAL_BYTES) / MB:,.0f} MB",
        state == "refused" and took_s <= goal_s and inspection.most <= size + ABOVE_GOAL_BYTES and left == 0,
    )


def declare(site: RunningSite, model: Path, name: str, sha256: str = "") -> dict[str, Any]:
    files = [{"name": path.name, "size_bytes": path.stat().st_size} for path in sorted(model.iterdir())]
    for file in files:
        if file["name"] == "model.safetensors":
            file["sha256"] = sha256
    answer = site.http.post("/api/v1/arrivals", json={"name": name, "files": files})
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def send(site: RunningSite, arrival: dict[str, Any], model: Path, checksums: dict[int, str], seen: Any = None) -> None:
    """By tus, as the page does it: in parts, each with its checksum, going on from where the server is."""
    for file in arrival["files"]:
        with (model / file["name"]).open("rb") as content:
            _send_file(site, file, content, checksums if file["name"] == "model.safetensors" else {}, seen)


def _send_file(site: RunningSite, file: dict[str, Any], content: Any, checksums: dict[int, str], seen: Any) -> None:
    line = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
    there = 0
    while there < file["size_bytes"]:
        content.seek(there)
        part = content.read(PART_BYTES - there % PART_BYTES)
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(there)}
        headers["Content-Type"] = "application/offset+octet-stream"
        if there in checksums and len(part) == min(PART_BYTES, file["size_bytes"] - there):
            headers["Upload-Checksum"] = checksums[there]
        threading.Thread(target=seen, args=[there]).start() if seen else None
        try:
            line.request("PATCH", file["address"], part, headers)
            answer = line.getresponse()
            answer.read()
            assert answer.status == 204, answer.status
            there = int(answer.headers["Upload-Offset"])
        except (OSError, http.client.HTTPException):
            line.close()
            there = _there(site, file["address"])


def _there(site: RunningSite, address: str) -> int:
    for _ in range(300):
        try:
            answer = site.http.head(address, headers={"tus-resumable": "1.0.0"})
            if answer.status_code == 200:
                return int(answer.headers["upload-offset"])
        except Exception:  # It is being started again.
            pass
        time.sleep(0.1)
    raise AssertionError("the site did not come back")


def verdict(site: RunningSite, arrival: str) -> str:
    for _ in range(1_200):
        state = site.http.get(f"/api/v1/arrivals/{arrival}").json()["state"]
        if state in ("ready", "refused"):
            return str(state)
        time.sleep(0.1)
    raise AssertionError("no verdict in two minutes")


class Watch:
    """The most memory that a program held, resident, while this is open."""

    def __init__(self, site: RunningSite, words: str) -> None:
        self._site, self._words = site, words
        self.first = self.most = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self.first = self.most = self._now()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.1):
            self.most = max(self.most, self._now())

    def _now(self) -> int:
        total = 0
        for process in psutil.Process(self._site.process.pid).children(recursive=True):
            try:
                if self._words in " ".join(process.cmdline()):
                    total += process.memory_info().rss
            except psutil.Error:  # It has just ended.
                continue
        return total


def _copy_and_hash(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    with target.open("rb") as file:
        os.fsync(file.fileno())
    _hash(target)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checksums(path: Path) -> dict[int, str]:
    found = {}
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            digest = base64.b64encode(hashlib.sha256(part).digest()).decode()
            found[file.tell() - len(part)] = f"sha256 {digest}"
    return found
