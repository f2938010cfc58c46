"""Loads that make the site work while people watch: a quick training, large models asked for at once, uploads."""

from __future__ import annotations

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from websockets.sync.client import connect

from tests.benchmarks.figures import Figure
from tests.benchmarks.fleet_loads import Watched, resident_mebibytes, watched
from tests.benchmarks.made_up import save_gpt2, text_of
from tests.faults.ledger import frames_of
from tests.running import RunningSite
from tests.standing_in import LENT
from workers.protocol import frame
from workers.protocol.training_events import Progress

STEPS, VIEWERS, FRAMES_A_SECOND = 12_000, 50, 20.0
# As small as a model gets, so that as many steps as possible come in a second.
PLAN = {
    **{"assignment": "copy", "layers": 1, "heads": 1, "width": 16, "batch": 1, "length": 8, "warmup": 10},
    **{"evaluate_every": STEPS, "snapshot_every": STEPS, "checkpoint_every": STEPS, "steps": STEPS},
}
ANALYSES, ANALYSED_TOKENS, ANALYSED_S = 8, 64, 20.0
UPLOADS, UPLOAD_BYTES, PART_BYTES, UPLOAD_MB_A_SECOND = 4, 256 << 20, 8 << 20, 60.0


def working_loads() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        site = RunningSite(Path(folder) / "data", workers=1, trainers=1)
        try:
            yield _quick_training(site)
            yield _large_models(site, Path(folder))
        finally:
            site.stop()
        site = RunningSite(Path(folder) / "watched", workers=0, **LENT)
        try:
            yield _uploads(site)
        finally:
            site.stop()


def _quick_training(site: RunningSite) -> Figure:
    """Whoever watches gets few frames and every step; what each has in the end is what is stored."""
    run = str(site.http.post("/api/v1/trainings", json=PLAN).raise_for_status().json()["id"])
    # Each watcher is a thread that reads and does no more: fifty decoders here would slow down what is watched.
    with ThreadPoolExecutor(VIEWERS) as viewers:
        seen = list(viewers.map(lambda _: _followed(site, run), range(VIEWERS)))
    stored = [each.frame for each in frames_of(site.data, run)]
    curve, seconds, most = (
        _curve(stored),
        max(span for _, span in seen),
        max(len(frames) / span for frames, span in seen),
    )
    same = all(frames == stored for frames, _ in seen)
    whole = curve == list(range(1, STEPS + 1))
    return Figure(
        "fleet.L4.quick_training",
        f"{len(curve):,} steps stored, {STEPS / seconds:.0f} a second, {most:.1f} frames/s each, "
        f"{'equal' if same else 'NOT EQUAL'} for all {VIEWERS}",
        f"{STEPS:,} steps, <= {FRAMES_A_SECOND:.0f} frames/s, equal",
        whole and same and most <= FRAMES_A_SECOND,
    )


def _followed(site: RunningSite, run: str) -> tuple[list[bytes], float]:
    """All frames of a run as they come, and over how many seconds."""
    frames: list[bytes] = []
    began = time.monotonic()
    with connect(f"ws://127.0.0.1:{site.port}/ws/runs/{run}?after=0", max_size=None, compression=None) as socket:
        for data in socket:
            frames.append(bytes(data))  # type: ignore[arg-type]
            if frame.ends_run(frames[-1]):
                break
    return frames, time.monotonic() - began


def _curve(frames: list[bytes]) -> list[int]:
    decoded = (frame.decode(each) for each in frames)
    steps = [arrays["steps"] for event, arrays in decoded if isinstance(event, Progress)]
    return [int(step) for step in np.concatenate(steps)]


def _large_models(site: RunningSite, folder: Path) -> Figure:
    checkpoint = save_gpt2(folder / "gpt2-size", n_positions=ANALYSED_TOKENS)
    size_mebibytes = sum(file.stat().st_size for file in checkpoint.glob("*.safetensors")) / 2**20
    site.add_model(checkpoint)
    before = _workers_mebibytes(site)
    began = time.monotonic()
    with ThreadPoolExecutor(ANALYSES) as people:
        runs = list(people.map(lambda _: site.submit("gpt2-size", text_of(ANALYSED_TOKENS)), range(ANALYSES)))
        states = list(people.map(lambda run: site.wait(run, 120)["state"], runs))
    took_s = time.monotonic() - began
    copies = (_workers_mebibytes(site) - before) / size_mebibytes
    return Figure(
        "fleet.L5.eight_of_gpt2_size",
        f"{states.count('finished')} of {ANALYSES} in {took_s:.1f} s, loading too; "
        f"{copies:.1f} x the model's {size_mebibytes:.0f} MiB more in memory",
        f"all in {ANALYSED_S:.0f} s, one copy",
        states == ["finished"] * ANALYSES and took_s <= ANALYSED_S and copies < 2,
    )


def _workers_mebibytes(site: RunningSite) -> float:
    return sum(process.memory_info().rss for process in site.children("interactive")) / 2**20


def _uploads(site: RunningSite) -> Figure:
    """The watchers of L1, alone and while four people send a file each."""
    alone = watched(site, 200, 20)
    before, sent = resident_mebibytes(site), threading.Event()
    grown: list[float] = []

    def look() -> None:
        while not sent.wait(0.2):
            grown.append(resident_mebibytes(site) - before)

    looking = threading.Thread(target=look)
    rates: list[float] = []

    def send_all() -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(UPLOADS) as people:
            list(people.map(lambda number: send_upload(site, number), range(UPLOADS)))
        rates.append(UPLOADS * UPLOAD_BYTES / 1e6 / (time.monotonic() - began))
        sent.set()

    sending = threading.Thread(target=send_all)
    looking.start()
    sending.start()
    beside: Watched = watched(site, 200, 20)
    sending.join()
    looking.join()
    times = beside.p95_s / alone.p95_s
    return Figure(
        "fleet.L7.uploads_during_L1",
        f"{rates[0]:.0f} MB/s, {UPLOADS} x {UPLOAD_BYTES >> 20} MiB; web {max(grown):+.0f} MiB at most; "
        f"L1's p95 {1000 * alone.p95_s:.0f} to {1000 * beside.p95_s:.0f} ms, {beside.lost} lost",
        f">= {UPLOAD_MB_A_SECOND:.0f} MB/s, +64 MiB, <= 2 x",
        rates[0] >= UPLOAD_MB_A_SECOND and max(grown) <= 64 and times <= 2 and beside.lost == 0,
    )


def send_upload(site: RunningSite, number: int) -> None:
    """The second file never comes, so nothing is inspected; then the upload is given up, and its room with it."""
    files = [{"name": "model.safetensors", "size_bytes": UPLOAD_BYTES}, {"name": "config.json", "size_bytes": 2}]
    part = os.urandom(PART_BYTES)
    with httpx.Client(base_url=str(site.http.base_url), timeout=120) as line:
        told: dict[str, Any] = line.post("/api/v1/arrivals", json={"name": f"sent-{number}", "files": files}).json()
        address = next(file["address"] for file in told["files"] if file["name"] == "model.safetensors")
        for offset in range(0, UPLOAD_BYTES, PART_BYTES):
            head = {"tus-resumable": "1.0.0", "upload-offset": str(offset)}
            head["content-type"] = "application/offset+octet-stream"
            line.patch(address, content=part, headers=head).raise_for_status()
        line.delete(f"/api/v1/arrivals/{told['id']}").raise_for_status()
