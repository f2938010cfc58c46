"""`python -m tests.faults --seed 1 --minutes 5`: many runs, a random fault every ten to twenty seconds, an account.

Short and long texts and trainings are sent while workers, web, recorder and broker are killed, workers stopped for
longer than their lease, sockets cut. Then the site has two minutes. Prints what was lost, doubled, stuck and wrong.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
from websockets.exceptions import WebSocketException

from tests.faults.ledger import ENDED, Promised, frames_of, settle
from tests.running import RunningSite

SHORT, LONG, TRAININGS, MINUTES = 200, 20, 5, 5.0
PAUSE_S = (10.0, 20.0)
STOPPED_S = 60.0
AFTER_S = 120.0
TEXTS = ("In the beginning God created", "And the evening and the morning", "the heaven and the earth")
PLAN = {
    **{"assignment": "reverse", "layers": 1, "heads": 2, "width": 32, "batch": 16, "length": 16, "warmup": 10},
    **{"steps": 150, "evaluate_every": 50, "snapshot_every": 50, "checkpoint_every": 30, "dropout": 0.1},
}
PROGRAMS = {"worker": "interactive", "trainer": "train1@", "web": "uvicorn", "recorder": "manage.py record"}


class Client:
    """Asks until it is answered, and keeps what it was promised. A run is promised by its 201, and by nothing else."""

    def __init__(self, site: RunningSite, deadline: float) -> None:
        self.promised: list[Promised] = []
        self.gaps: list[str] = []
        self._site, self._deadline = site, deadline

    def ask(self, kind: str, address: str, body: dict[str, object]) -> None:
        while time.monotonic() < self._deadline:
            try:
                answer = self._site.http.post(address, json=body)
            except httpx.TransportError:
                time.sleep(0.5)
                continue
            if answer.status_code == 201:
                self.promised.append(Promised(str(answer.json()["id"]), kind))
                return
            if answer.status_code not in (429, 503):
                self.gaps.append(f"{address} answered {answer.status_code}: {answer.text[:200]}")
                return
            time.sleep(1.0)

    def watch(self, rng: random.Random) -> None:
        """A viewer whose socket is cut again and again: what it has seen must be 1 to N, once each."""
        while time.monotonic() < self._deadline:
            if not self.promised:
                time.sleep(0.2)
                continue
            run, seen = rng.choice(self.promised).run, 0
            for _ in range(20):
                try:
                    for event, _ in self._site.frames(run, after=seen, most=rng.randint(1, 5)):
                        if event.seq != seen + 1:
                            self.gaps.append(f"{run}: {event.seq} came after {seen}")
                        seen = event.seq
                        if event.ends_run:
                            break
                except (OSError, WebSocketException, AssertionError):
                    time.sleep(0.5)


def work(client: Client, rng: random.Random, counts: tuple[int, int, int], span_s: float) -> None:
    """Sends everything, spread over the span in random order."""
    short, long, trainings = counts
    asks: list[Callable[[], None]] = []
    for number in range(short):
        text = TEXTS[number % len(TEXTS)]
        asks.append(lambda text=text: client.ask(text, "/api/v1/runs", _trace(text)))  # type: ignore[misc]
    asks += [lambda: client.ask("long", "/api/v1/runs", _writes()) for _ in range(long)]
    asks += [lambda: client.ask("training", "/api/v1/trainings", PLAN) for _ in range(trainings)]
    rng.shuffle(asks)
    began = time.monotonic()
    for number, ask in enumerate(asks):
        time.sleep(max(0.0, began + span_s * number / len(asks) - time.monotonic()))
        ask()


def _trace(text: str) -> dict[str, object]:
    return {"kind": "trace", "model": "prose", "text": text}


def _writes() -> dict[str, object]:
    return {"kind": "generate", "model": "prose", "text": TEXTS[0], "generate": {"max_tokens": 48}}


class Harm:
    """The faults, by name. Each is done to real processes; the supervisor brings back what it killed."""

    def __init__(self, site: RunningSite, rng: random.Random) -> None:
        self._site, self._rng = site, rng
        self._stopped: list[tuple[float, psutil.Process]] = []

    def do_one(self) -> str:
        self.wake(due_only=True)
        name = self._rng.choice(["worker", "trainer", "web", "recorder", "broker", "stop a worker"])
        if name == "stop a worker":
            chosen = self._one_of("celery")
            if chosen is not None:
                chosen.send_signal(signal.SIGSTOP)
                self._stopped.append((time.monotonic() + STOPPED_S, chosen))
        else:
            chosen = self._one_of("valkey-server" if name == "broker" else PROGRAMS[name])
            if chosen is not None:
                chosen.kill()
        return name if chosen is not None else f"{name} (none was there)"

    def wake(self, due_only: bool = False) -> None:
        """What was stopped goes on, as if nothing had happened to it."""
        now = time.monotonic()
        for due, process in [*self._stopped]:
            if not due_only or due <= now:
                self._stopped.remove((due, process))
                with suppress(psutil.Error):
                    process.send_signal(signal.SIGCONT)

    def _one_of(self, words: str) -> psutil.Process | None:
        found = []
        for child in psutil.Process(self._site.process.pid).children():
            with suppress(psutil.Error):  # One that is ending has no command any more.
                if words in " ".join(child.cmdline()):
                    found.append(child)
        return self._rng.choice(found) if found else None


def wait_for_ends(site: RunningSite, promised: list[Promised], timeout_s: float) -> dict[str, str | None]:
    """The state of each at the end, or when the time is over; None of what the site does not know."""
    states: dict[str, str | None] = {asked.run: "unasked" for asked in promised}
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        for run in [run for run, state in states.items() if state is not None and state not in ENDED]:
            with suppress(httpx.TransportError):
                answer = site.http.get(f"/api/v1/runs/{run}")
                if answer.status_code in (200, 404):
                    states[run] = answer.json()["state"] if answer.status_code == 200 else None
        if all(state is None or state in ENDED for state in states.values()):
            break
        time.sleep(1.0)
    return states


def faults(site: RunningSite, seed: int, minutes: float, share: float) -> Iterator[str]:
    rng = random.Random(seed)
    span_s = 60.0 * minutes
    client = Client(site, time.monotonic() + span_s + 2 * AFTER_S)
    counts = tuple(max(1, round(count * share)) for count in (SHORT, LONG, TRAININGS))
    threads = [
        threading.Thread(target=work, args=(client, random.Random(seed + 1), counts, span_s), daemon=True),
        threading.Thread(target=client.watch, args=(random.Random(seed + 2),), daemon=True),
    ]
    # What all others are compared with: one of each kind before anything is harmed.
    for text in TEXTS:
        client.ask(text, "/api/v1/runs", _trace(text))
    client.ask("long", "/api/v1/runs", _writes())
    client.ask("training", "/api/v1/trainings", PLAN)
    wait_for_ends(site, client.promised, AFTER_S)
    for thread in threads:
        thread.start()
    harm, done, over = Harm(site, rng), Counter[str](), time.monotonic() + span_s
    while (left_s := over - time.monotonic()) > 0:
        time.sleep(min(left_s, rng.uniform(*PAUSE_S)))
        if time.monotonic() < over:
            done[harm.do_one()] += 1
    harm.wake()
    yield f"seed {seed}: " + ", ".join(f"{count} x {name}" for name, count in sorted(done.items()))
    threads[0].join(timeout=AFTER_S)
    states = wait_for_ends(site, client.promised, AFTER_S)
    account = settle(client.promised, states, {asked.run: frames_of(site.data, asked.run) for asked in client.promised})
    for name, found in vars(account).items():
        for run, words in found.items():
            yield f"  {name}: {run}: {words}"
    yield from (f"  a client saw: {gap}" for gap in client.gaps)
    told = ", ".join(f"{count} {name}" for name, count in account.counts.items())
    yield f"seed {seed}: {len(client.promised)} promised, {told}, {len(client.gaps)} gaps"
    if not account.holds or client.gaps:
        raise SystemExit(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--share", type=float, default=1.0, help="of the runs, for a slow machine: 0.2 sends a fifth")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        site = RunningSite(Path(folder) / "data", workers=2, trainers=1)
        try:
            for line in faults(site, chosen.seed, chosen.minutes, chosen.share):
                print(line, flush=True)
        except SystemExit:
            print("\n".join(["the site said last:", *[*site.log][-40:]]), file=sys.stderr)
            raise
        finally:
            site.stop()


if __name__ == "__main__":
    main()
