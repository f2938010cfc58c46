"""A model of GPT-2-small's shape that writes: watched on the site, unwatched, and by transformers; its first token.

Watched is what a viewer gets: every head's row of every token, encoded, stored, sent through all processes. Unwatched
is `generate` alone, in a process that waits for its threads as a worker does. They take turns, so that a noisy
neighbour disturbs all alike.

`python -m tests.benchmarks.watch FOLDER IDS` is that process: a line on stdin for each act, its seconds on stdout.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from transformers import GPT2LMHeadModel
from transformers.utils import logging

from modelcore.checkpoints.reader import open_checkpoint
from modelcore.generation.row_watch import RowWatch
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.models.build import Transformer
from tests.benchmarks.figures import Figure, interleaved, seconds_of
from tests.benchmarks.made_up import save_gpt2
from tests.running import HOUSE, RunningSite
from workers.protocol.events import Finished, Step

PROMPT, WRITTEN = 32, 128
ACTS = ("write", "watch", "whole", "theirs", "forward")
ROUNDS = 5
COST_GOAL, FASTER_GOAL, FIRST_GOAL = 1.10, 1.5, 1.5
# Of a request through every process; the road's own benchmark has the same.
ROAD_S = 0.1


class Watched(NamedTuple):
    """Seconds: from the first token to the last, as a viewer sees them, and from the request to the first."""

    writing_s: float
    first_s: float


class Unwatched:
    """The process beside the site. It sleeps while it is not asked, so that the site has the machine to itself."""

    def __init__(self, folder: Path, ids: list[int]) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.watch", str(folder), json.dumps(ids)]
        environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
        self._child = subprocess.Popen(
            command, cwd=HOUSE, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def seconds(self, act: str) -> float:
        assert self._child.stdin is not None and self._child.stdout is not None
        print(act, file=self._child.stdin, flush=True)
        return float(self._child.stdout.readline())

    def stop(self) -> None:
        self._child.kill()
        self._child.wait()


def figures() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = save_gpt2(Path(folder) / "gpt2-shape")
        ids = [7 * place for place in range(PROMPT)]
        unwatched, site = Unwatched(checkpoint, ids), RunningSite(Path(folder) / "data")
        try:
            yield from _in_one_process(unwatched)
            site.add_model(checkpoint)
            yield from _on_the_site(site, unwatched, ids)
        finally:
            site.stop()
            unwatched.stop()


def _write(model: Transformer, ids: list[int]) -> float:
    """Unwatched: seconds from the first token to the last."""
    began = 0.0
    for step in generate(model, ids, Sampling(max_tokens=WRITTEN), alternatives=0):
        if step.place == len(ids):
            began = time.perf_counter()
    return time.perf_counter() - began


def _write_tapped(model: Transformer, ids: list[int]) -> float:
    watch, began = RowWatch(len(ids) + WRITTEN), 0.0
    for step in generate(model, ids, Sampling(max_tokens=WRITTEN), tap=watch):
        watch.handed_over()
        if step.place == len(ids):
            for _ in watch.prompt():
                pass
            began = time.perf_counter()
    return time.perf_counter() - began


def _in_one_process(unwatched: Unwatched) -> Iterator[Figure]:
    for act in ACTS:
        unwatched.seconds(act)
    timed = [partial(unwatched.seconds, act) for act in ("write", "watch", "whole", "theirs")]
    bare_s, tapped_s, whole_s, theirs_s = interleaved(ROUNDS, *timed)
    yield Figure("watch.unwatched", f"{(WRITTEN - 1) / bare_s:.1f} tokens/s")
    yield Figure("watch.rows_and_alternatives", f"{tapped_s / bare_s:.2f} of unwatched, in one process")
    faster = theirs_s / whole_s
    goal = f">= {FASTER_GOAL} x tokens/s of transformers"
    yield Figure("watch.unwatched_beside_transformers", f"{faster:.2f} x", goal, faster >= FASTER_GOAL)


def _on_the_site(site: RunningSite, unwatched: Unwatched, ids: list[int]) -> Iterator[Figure]:
    """The same model in the site's worker, with a viewer on its socket."""
    model = next(m["id"] for m in site.http.get("/api/v1/models").json()["models"] if m["name"].startswith("gpt2"))

    def watched() -> Watched:
        began = time.perf_counter()
        run = site.submit(model, ids=ids, kind="generate", generate={"max_tokens": WRITTEN})
        steps: list[float] = []
        for event, _ in site.frames(run):
            if isinstance(event, Step):
                steps.append(time.perf_counter())
            if isinstance(event, Finished):
                break
        assert len(steps) == WRITTEN
        return Watched(steps[-1] - steps[0], steps[0] - began)

    watched()
    seen: list[Watched] = []

    def writing_s() -> float:
        seen.append(watched())
        return seen[-1].writing_s

    bare_s, watched_s, forward_s = interleaved(
        ROUNDS, partial(unwatched.seconds, "write"), writing_s, partial(unwatched.seconds, "forward")
    )
    cost = watched_s / bare_s
    yield Figure(
        "watch.watched",
        f"{(WRITTEN - 1) / watched_s:.1f} tokens/s, {cost:.2f} of unwatched's time",
        f"<= {COST_GOAL} x the time of unwatched",
        cost <= COST_GOAL,
    )
    first_s = statistics.median(one.first_s for one in seen)
    limit_s = FIRST_GOAL * forward_s + ROAD_S
    yield Figure(
        "watch.first_token",
        f"{1000 * first_s:.0f} ms, the prompt's forward {1000 * forward_s:.0f} ms",
        f"<= {FIRST_GOAL} x forward + {1000 * ROAD_S:.0f} ms of the road = {1000 * limit_s:.0f} ms",
        first_s <= limit_s,
    )


@torch.inference_mode()
def _serve(folder: str, ids: list[int]) -> None:
    logging.disable_progress_bar()
    ours = open_checkpoint(Path(folder)).load()
    theirs = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    ids_1N = torch.tensor([ids])

    def by_us() -> None:
        for _ in generate(ours, ids, Sampling(max_tokens=WRITTEN), alternatives=0):
            pass

    def by_them() -> None:
        asked = {"max_new_tokens": WRITTEN, "do_sample": False, "pad_token_id": 0}
        theirs.generate(ids_1N, attention_mask=torch.ones_like(ids_1N), **asked)

    acts = {
        "write": lambda: _write(ours, ids),
        "watch": lambda: _write_tapped(ours, ids),
        "whole": lambda: seconds_of(by_us),
        "theirs": lambda: seconds_of(by_them),
        "forward": lambda: seconds_of(lambda: ours(ids_1N)),
    }
    assert tuple(acts) == ACTS
    for act in sys.stdin:
        print(acts[act.strip()](), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
