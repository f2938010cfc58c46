"""Loads of many people at once on one small machine: watchers of one run, idle sockets, cuts, a long queue."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from websockets.asyncio.client import connect

from tests.benchmarks.figures import Figure
from tests.benchmarks.fleet_asks import TEXT, asks_and_reads
from tests.running import HOUSE, RunningSite
from tests.standing_in import LENT, StandIn
from workers.protocol import frame

ROUNDS = 3
EVENT_BYTES = 4096
SPAN_S = 20.0


class Watched(NamedTuple):
    """Of all watchers together; seconds from an event's publication to its arrival."""

    lost: int
    p95_s: float
    p99_s: float
    web_mebibytes: float


def loads() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        site = RunningSite(Path(folder) / "data", workers=0, **LENT)
        try:
            yield _watchers(site, "L1.watchers_200x20", 200, 20, p95_s=0.25, p99_s=1.0, mebibytes=300)
            yield _watchers(site, "L2.watchers_500x5", 500, 5, p95_s=0.5, p99_s=None, mebibytes=None)
            yield _idle(site)
            yield _cut(site)
            yield _watchers(site, "stretch.watchers_1000x20", 1000, 20, p95_s=0.5, p99_s=None, mebibytes=400)
        finally:
            site.stop()
        site = RunningSite(Path(folder) / "working", workers=1)
        try:
            site.traced("prose", TEXT)
            yield from asks_and_reads(site)
            yield _five_hundred(site)
        finally:
            site.stop()


def _publish(worker: StandIn, events: int, rate: float) -> None:
    began = time.monotonic()
    for number in range(events):
        time.sleep(max(0.0, began + number / rate - time.monotonic()))
        # What it says is the time of its publication; both processes read the same clock.
        worker.say(time.time())
    worker.finish()


def watched(site: RunningSite, count: int, rate: float) -> Watched:
    """One round of so many watchers of one run, that tells so many events a second."""
    worker = StandIn(site, EVENT_BYTES)
    events = int(rate * SPAN_S)
    watching = [str(site.port), f"/ws/runs/{worker.run}?after=0", str(count), str(events)]
    command = [sys.executable, "-m", "tests.benchmarks.watching", *watching]
    child = subprocess.Popen(command, cwd=HOUSE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "open"
    _publish(worker, events, rate)
    told = json.loads(child.stdout.readline())
    child.wait()
    return Watched(**told, web_mebibytes=resident_mebibytes(site))


def _watchers(
    site: RunningSite, name: str, count: int, rate: float, p95_s: float, p99_s: float | None, mebibytes: float | None
) -> Figure:
    rounds = [watched(site, count, rate) for _ in range(ROUNDS)]
    seen = Watched(*(statistics.median(column) for column in zip(*rounds, strict=True)))  # type: ignore[arg-type]
    held = seen.lost == 0 and seen.p95_s <= p95_s
    held &= p99_s is None or seen.p99_s <= p99_s
    held &= mebibytes is None or seen.web_mebibytes <= mebibytes
    limits = [f"p95 {1000 * p95_s:.0f} ms", *([f"p99 {1000 * p99_s:.0f} ms"] if p99_s else [])]
    limits += [f"{mebibytes:.0f} MiB"] if mebibytes else []
    return Figure(
        f"fleet.{name}",
        f"{seen.lost} lost, p95 {1000 * seen.p95_s:.0f}, p99 {1000 * seen.p99_s:.0f} ms, {seen.web_mebibytes:.0f} MiB",
        f"0 lost, {', '.join(limits)}",
        held,
    )


def resident_mebibytes(site: RunningSite) -> float:
    """Of the web's processes together."""
    return sum(process.memory_info().rss for process in site.children("uvicorn")) / 2**20


def _idle(site: RunningSite, count: int = 1500) -> Figure:
    worker = StandIn(site, EVENT_BYTES)
    before = resident_mebibytes(site)

    async def open_all() -> tuple[float, float, float]:
        began = time.monotonic()
        url = f"ws://127.0.0.1:{site.port}/ws/runs/{worker.run}?after=0"
        sockets = []
        for _ in range(0, count, 50):
            sockets += await asyncio.gather(*(connect(url, compression=None, ping_interval=None) for _ in range(50)))
        took_s, grown = time.monotonic() - began, resident_mebibytes(site) - before
        pinged = time.monotonic()
        await asyncio.wait_for((await sockets[count // 2].ping()), 10)
        pong_s = time.monotonic() - pinged
        await asyncio.gather(*(socket.close() for socket in sockets))
        return took_s, grown, pong_s

    took_s, grown, pong_s = asyncio.run(open_all())
    worker.leave()
    each = grown * 1024 / count
    return Figure(
        "fleet.L3.idle_sockets_1500",
        f"open in {took_s:.0f} s, {each:.0f} KiB each, ping {1000 * pong_s:.0f} ms",
        "open in 60 s, 60 kB each, ping answered",
        took_s <= 60 and each <= 60,
    )


def _cut(site: RunningSite, count: int = 300) -> Figure:
    """All at once, in the middle of a run; how long until each has caught up, and what each missed."""
    worker = StandIn(site, EVENT_BYTES)
    publisher = threading.Thread(target=_publish, args=(worker, 200, 20.0))

    async def follow() -> tuple[float, int]:
        url = f"ws://127.0.0.1:{site.port}/ws/runs/{worker.run}?after="
        sockets = [await connect(f"{url}0", compression=None, max_size=None) for _ in range(count)]
        publisher.start()
        seen = [[0] for _ in sockets]

        async def take(number: int, most: int) -> None:
            while len(seen[number]) <= most:
                seen[number].append(frame.decode(await sockets[number].recv()).event.seq)  # type: ignore[arg-type]

        await asyncio.gather(*(take(number, 40) for number in range(count)))
        for socket in sockets:
            socket.transport.abort()
        cut = time.monotonic()
        behind = max(last[-1] for last in seen)

        async def back(number: int) -> float:
            sockets[number] = await connect(f"{url}{seen[number][-1]}", compression=None, max_size=None)
            await take(number, behind + 5)
            return time.monotonic() - cut

        took_s = max(await asyncio.gather(*(back(number) for number in range(count))))
        missing = sum(numbers != list(range(len(numbers))) for numbers in seen)
        await asyncio.gather(*(socket.close() for socket in sockets))
        return took_s, missing

    took_s, missing = asyncio.run(follow())
    publisher.join()
    return Figure(
        "fleet.L9.cut_300", f"all back in {took_s:.1f} s, {missing} with gaps", "15 s, 0", took_s <= 15 and not missing
    )


def _five_hundred(site: RunningSite, count: int = 500) -> Figure:
    answers: dict[int, int] = defaultdict(int)
    runs: list[str] = []
    pages: list[float] = []

    def ask(number: int) -> None:
        answer = site.http.post("/api/v1/runs", json={"kind": "trace", "model": "prose", "text": TEXT})
        answers[answer.status_code] += 1
        if answer.status_code == 201:
            runs.append(answer.json()["id"])
        if number % 10 == 0:
            began = time.monotonic()
            site.http.get("/").raise_for_status()
            pages.append(time.monotonic() - began)

    began = time.monotonic()
    with ThreadPoolExecutor(8) as people:
        list(people.map(ask, range(count)))
    states = [site.wait(run, 600)["state"] for run in runs]
    took_s = time.monotonic() - began
    p95 = sorted(pages)[int(0.95 * len(pages))]
    held = set(answers) <= {201, 429} and set(states) == {"finished"} and p95 <= 0.3
    return Figure(
        "fleet.L11.queue_500",
        f"{answers[201]} of {count} taken and ended in {took_s:.0f} s, page p95 {1000 * p95:.0f} ms",
        "each 201 ends, page p95 300 ms",
        held,
    )
