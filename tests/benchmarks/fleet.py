"""Where runs go: three workers, six models of which two fit in each, requests by Zipf; and loads of many at once.

Both ways of routing are measured in turn on sites of their own, with the same requests at the same moments.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.figures import Figure
from tests.benchmarks.fleet_loads import loads
from tests.benchmarks.fleet_work import working_loads
from tests.benchmarks.made_up import save_gpt2
from tests.running import RunningSite

WORKERS, MODELS, FIT, ROUNDS, REQUESTS = 3, 6, 2, 3, 120
TOKENS = 8
# Of Zipf's law: the n-th model is asked for 1/n as often as the first.
WEIGHTS = [1 / (n + 1) for n in range(MODELS)]
RATE_A_SECOND = 4.0
HITS_GOAL, WAIT_GOAL = 0.8, 5.0
# Large enough that loading takes many times as long as reading eight tokens.
SHAPE = {"n_layer": 2, "n_head": 4, "n_embd": 1024, "n_positions": 64}


class Served(NamedTuple):
    """`hits` is the share of requests that found their model in memory, `wait_s` the median until they began to run."""

    hits: float
    wait_s: float


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = [save_gpt2(Path(folder) / f"model-{n}", **SHAPE) for n in range(MODELS)]
        size_bytes = sum(file.stat().st_size for file in checkpoints[0].glob("*.safetensors"))
        served: dict[str, list[Served]] = {"soonest": [], "shared": []}
        for round_ in range(ROUNDS):
            for routing, found in served.items():
                found.append(_served(Path(folder) / f"{routing}-{round_}", routing, checkpoints, size_bytes, round_))
    ours, plain = (_median(found) for found in served.values())
    yield Figure("fleet.plain_queue", f"{plain.hits:.0%} resident, median wait {1000 * plain.wait_s:.0f} ms")
    yield Figure("fleet.resident", f"{ours.hits:.0%}", f">= {HITS_GOAL:.0%}", ours.hits >= HITS_GOAL)
    times = plain.wait_s / ours.wait_s
    yield Figure(
        "fleet.median_wait",
        f"{1000 * ours.wait_s:.0f} ms, {times:.1f} x shorter",
        f">= {WAIT_GOAL:g} x shorter than a plain queue",
        times >= WAIT_GOAL,
    )
    yield from loads()
    yield from working_loads()
    yield Figure("fleet.L10.soak", skipped="takes hours: python -m tests.benchmarks.soak --minutes 120")


def _median(found: list[Served]) -> Served:
    return Served(*(statistics.median(column) for column in zip(*found, strict=True)))


def _served(data: Path, routing: str, checkpoints: list[Path], size_bytes: int, seed: int) -> Served:
    """One round: the same requests at the same moments, whichever way they are routed."""
    rng = random.Random(seed)
    limit = str(int((FIT + 0.5) * size_bytes))
    site = RunningSite(data, workers=WORKERS, HEADLIGHT_ROUTING=routing, HEADLIGHT_MODEL_BYTES=limit)
    try:
        for checkpoint in checkpoints:
            site.add_model(checkpoint)
        _until_all_work(site)
        models = [m["id"] for m in site.http.get("/api/v1/models").json()["models"] if m["name"].startswith("model-")]
        assert len(models) == MODELS
        asked = rng.choices(models, WEIGHTS, k=REQUESTS)
        runs: list[str] = []
        moment = time.monotonic()
        for model in asked:
            moment += rng.expovariate(RATE_A_SECOND)
            time.sleep(max(0.0, moment - time.monotonic()))
            runs.append(site.submit(model, ids=[rng.randrange(1000) for _ in range(TOKENS)]))
        told = [site.wait(run, 120)["timings"] for run in runs]
        # The first of each model finds it nowhere, however it is routed; they are counted all the same.
        hits = sum(timings["load_s"] == 0 for timings in told) / len(told)
        return Served(hits, statistics.median(timings["queued_s"] + timings["load_s"] for timings in told))
    finally:
        site.stop()


def _until_all_work(site: RunningSite) -> None:
    deadline = time.monotonic() + 180
    while site.http.get("/api/v1/models").json()["workers"] < WORKERS:
        assert time.monotonic() < deadline, "\n".join(site.log)
        time.sleep(0.2)
