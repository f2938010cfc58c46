"""The whole road: from the request to all heads in the viewer's hands, and what a thousand runs leave behind."""

from __future__ import annotations

import statistics
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import torch

from modelcore.checkpoints.reader import open_checkpoint
from tests.benchmarks.figures import Figure, growth, interleaved, seconds_of
from tests.running import HOUSE, RunningSite
from workers.protocol.events import Site

MODEL = "prose"
TOKENS = 64
ROUNDS = 41
SHORT_RUNS = 1000
SAMPLE_EVERY = 10
FLAT = 0.03
PROGRAMS = {"broker": "valkey-server", "web": "uvicorn", "recorder": "manage.py record", "worker": "celery"}


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as data:
        site = RunningSite(Path(data) / "data")
        try:
            yield from _time(site)
            yield from _memory(site)
        finally:
            site.stop()


def _time(site: RunningSite) -> Iterator[Figure]:
    """Request to all heads, over loopback and through every process, beside the same model's forward pass alone."""
    model = open_checkpoint(HOUSE / "modelcore" / "zoo" / MODEL).load()
    ids = [(7 * i) % model.config.vocabulary for i in range(TOKENS)]
    ids_BN = torch.tensor([ids])

    @torch.inference_mode()
    def forward() -> None:
        model(ids_BN)

    def road() -> None:
        heads = 0
        for event, _ in site.frames(site.submit(MODEL, ids=ids)):
            heads += event.heads if isinstance(event, Site) else 0
        assert heads == len(model.config.sites()) * model.config.decoder.heads

    for _ in range(5):
        forward()
        road()
    bare_s, road_s = interleaved(ROUNDS, lambda: seconds_of(forward), lambda: seconds_of(road))
    goal_s = 1.5 * bare_s + 0.1
    yield Figure("road.bare_forward", f"{1000 * bare_s:.1f} ms at {TOKENS} tokens")
    yield Figure(
        "road.request_to_all_heads",
        f"{1000 * road_s:.1f} ms",
        f"<= 1.5 x forward + 100 ms = {1000 * goal_s:.1f} ms",
        road_s <= goal_s,
    )


def _memory(site: RunningSite) -> Iterator[Figure]:
    """Resident memory of each process while short runs go by."""
    samples: dict[str, list[float]] = defaultdict(list)
    processes = {name: site.children(words) for name, words in PROGRAMS.items()}
    seconds = []
    for n in range(SHORT_RUNS):
        seconds.append(seconds_of(lambda: [*site.frames(site.submit(MODEL, "In the beginning God created"))]))
        if n % SAMPLE_EVERY == 0:
            for name, found in processes.items():
                samples[name].append(sum(process.memory_info().rss for process in found) / 2**20)
    yield Figure("road.short_run", f"{1000 * statistics.median(seconds):.1f} ms, median of {SHORT_RUNS}")
    for name, mebibytes in samples.items():
        grown = growth(mebibytes)
        yield Figure(
            f"road.memory_of_{name}",
            f"{mebibytes[-1]:.0f} MiB, {100 * grown:+.1f} % in the last {4 * SHORT_RUNS // 5} runs",
            f"flat: at most {100 * FLAT:+.0f} %",
            grown <= FLAT,
        )
