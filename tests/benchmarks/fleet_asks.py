"""Ten people ask for five texts each, again and again, while others read pages: whoever asks is served in turn."""

from __future__ import annotations

import itertools
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx

from tests.benchmarks.figures import Figure
from tests.running import RunningSite

TEXT = "In the beginning God created"
PEOPLE, ASKS = 10, 5
READS_A_SECOND, SPAN_S, READERS = 50, 300.0, 16
PAGES = ("/", "/runs", "/runs/{run}", "/api/v1/models", "/api/v1/runs", "/api/v1/runs/{run}")


class Asked(NamedTuple):
    """One round of all people; `waits_s` are their mean waits until a text was begun, the shortest first."""

    took_s: float
    waits_s: list[float]


class Read(NamedTuple):
    """`took_s` counts from the moment when it was due, so that a slow answer makes those after it late too."""

    took_s: float
    status: int


def asks_and_reads(site: RunningSite) -> Iterator[Figure]:
    run = str(site.traced("prose", TEXT)["id"])
    rounds: list[Asked] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            rounds.append(_asked_by_all(site))

    with ThreadPoolExecutor(1) as asking:
        asked = asking.submit(ask)
        try:
            reads = _reads(site, run)
        finally:
            over.set()
        asked.result()
    took_s = statistics.median(each.took_s for each in rounds)
    waits = [statistics.median(column) for column in zip(*(each.waits_s for each in rounds), strict=True)]
    yield Figure(
        "fleet.L6.asks_50",
        f"all done in {took_s:.1f} s (median of {len(rounds)} rounds, slowest "
        f"{max(each.took_s for each in rounds):.1f}), mean wait of each of {PEOPLE} {waits[0]:.1f} to {waits[-1]:.1f}",
        "15 s, nobody's more than 2 x another's",
        took_s <= 15 and waits[-1] <= 2 * waits[0],
    )
    p95 = sorted(read.took_s for read in reads)[int(0.95 * len(reads))]
    bad = Counter(read.status for read in reads if read.status != 200)
    yield Figure(
        "fleet.L8.reads_during_L6",
        f"p95 {1000 * p95:.0f} ms of {len(reads)} in {SPAN_S:.0f} s, {bad.total()} refused or failed {dict(bad) or ''}",
        f"{READS_A_SECOND} a second, p95 300 ms, none",
        p95 <= 0.3 and not bad,
    )


def _reads(site: RunningSite, run: str) -> list[Read]:
    addresses = itertools.cycle(page.format(run=run) for page in PAGES)
    limits = httpx.Limits(max_connections=READERS, max_keepalive_connections=READERS)
    with (
        httpx.Client(base_url=str(site.http.base_url), timeout=60, limits=limits) as client,
        ThreadPoolExecutor(READERS) as readers,
    ):

        def read(address: str, due: float) -> Read:
            status = client.get(address).status_code
            return Read(time.monotonic() - due, status)

        began = time.monotonic()
        sent = []
        for number in range(int(READS_A_SECOND * SPAN_S)):
            due = began + number / READS_A_SECOND
            time.sleep(max(0.0, due - time.monotonic()))
            sent.append(readers.submit(read, next(addresses), due))
        return [each.result() for each in sent]


def _asked_by_all(site: RunningSite) -> Asked:
    began = time.monotonic()
    together = threading.Barrier(PEOPLE)
    with ThreadPoolExecutor(PEOPLE) as people:
        waits = list(people.map(lambda number: _asks_of_one(site, number, together), range(PEOPLE)))
    return Asked(time.monotonic() - began, sorted(statistics.mean(each) for each in waits))


def _asks_of_one(site: RunningSite, number: int, together: threading.Barrier) -> list[float]:
    """Five texts of somebody who has an address of her own, and begins when all do; how long each of them waited."""
    line = httpx.HTTPTransport(local_address=f"127.0.0.{number + 2}")
    with httpx.Client(base_url=str(site.http.base_url), timeout=60, transport=line) as one:
        together.wait(60)
        order = {"kind": "trace", "model": "prose", "text": TEXT}
        runs = [str(one.post("/api/v1/runs", json=order).raise_for_status().json()["id"]) for _ in range(ASKS)]
    told = [_watched(site, run) for run in runs]
    assert [each["state"] for each in told] == ["finished"] * ASKS
    return [float(each["timings"]["queued_s"]) for each in told]


def _watched(site: RunningSite, run: str) -> dict[str, Any]:
    """As a page does it: to its end on a socket."""
    for _ in site.frames(run):
        pass
    return site.read(run)
