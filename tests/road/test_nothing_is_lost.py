"""Sockets are cut, workers die, everything is restarted: every frame arrives once, and every run ends."""

from __future__ import annotations

import signal
import socket
import time
from pathlib import Path

import psutil
import pytest

from tests.running import RunningSite
from workers.protocol import keys
from workers.protocol.events import Started

KEY_GONE_S = keys.HEARTBEAT_TTL_S + 1
"""After this a killed worker no longer counts as ready."""
TEXT = "In the beginning God created the heaven and the earth."


def test_cut_socket_resumes_where_it_was(site: RunningSite) -> None:
    whole = [event.seq for event, _ in site.frames(site.submit("prose", TEXT))]
    assert whole == list(range(1, len(whole) + 1))
    run = site.submit("prose", TEXT)
    seen: list[int] = []
    while len(seen) < len(whole):
        after = seen[-1] if seen else 0
        seen += [event.seq for event, _ in site.frames(run, after=after, most=2)]
    assert seen == whole


def test_second_viewer_who_comes_late_gets_all_of_it(site: RunningSite) -> None:
    run = site.submit("prose", TEXT)
    first = [event for event, _ in site.frames(run)]
    assert [event for event, _ in site.frames(run)] == first
    assert first[-1].type == "finished"


def test_run_is_still_there_after_everything_was_restarted(tmp_path: Path) -> None:
    site = RunningSite(tmp_path / "data")
    try:
        run = site.submit("prose", TEXT)
        before = list(site.frames(run))
        told = site.wait(run)
        weights = site.http.get(f"/api/v1/runs/{run}/maps/decoder.self.0/0").json()["weights"]
        site.restart()
        after = list(site.frames(run))
        assert [event for event, _ in after] == [event for event, _ in before]
        assert site.read(run) == told
        assert site.http.get(f"/api/v1/runs/{run}/maps/decoder.self.0/0").json()["weights"] == weights
    finally:
        site.stop()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_end_leaves_no_process_and_no_port(tmp_path: Path, number: signal.Signals) -> None:
    site = RunningSite(tmp_path / "data")
    family = site.children()
    assert {"celery", "uvicorn", "valkey-server"} <= {
        word for child in family for word in ("celery", "uvicorn", "valkey-server") if word in " ".join(child.cmdline())
    }
    began = time.monotonic()
    assert site.stop(number) == 0
    assert time.monotonic() - began < 5
    _, alive = psutil.wait_procs(family, timeout=1)
    assert not alive
    with socket.socket() as probe:
        # Past conversations of the port may still be closing; one that listens refuses even so.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", site.port))


def test_death_of_the_supervisor_ends_everything(tmp_path: Path) -> None:
    site = RunningSite(tmp_path / "data")
    family = site.children()
    site.stop(signal.SIGKILL)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive


def test_run_of_a_killed_worker_is_done_by_the_next(tmp_path: Path) -> None:
    """Killed between its first frame and the second, while it loads a model that nobody has asked for yet."""
    site = RunningSite(tmp_path / "data", HEADLIGHT_LEASE_S="3")
    try:
        # A worker may still be faster than the kill. The next has not loaded the model either, so it is tried again.
        for _ in range(4):
            workers = site.children("celery")  # Looked up before, because looking takes as long as the load.
            run = site.submit("numbers", "three hundred and five")
            first, _ = next(site.frames(run, most=1))
            for worker in workers:
                worker.kill()
            told = site.wait(run, timeout_s=60)
            if told["attempt"] == 2:
                break
            psutil.wait_procs(workers, timeout=5)
            time.sleep(KEY_GONE_S)
            site.wait_until_ready()
        assert (first.type, told["state"], told["attempt"]) == ("started", "finished", 2)
        events = [event for event, _ in site.frames(run)]
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert [event.attempt for event in events if isinstance(event, Started)] == [1, 2]
    finally:
        site.stop()


def test_run_waits_for_a_worker_that_is_not_there_yet(tmp_path: Path) -> None:
    site = RunningSite(tmp_path / "data")
    try:
        for worker in site.children("celery"):
            worker.suspend()
        run = site.submit("prose", TEXT)
        time.sleep(1)
        assert site.read(run)["state"] == "queued"
        for worker in site.children("celery"):
            worker.resume()
        assert site.wait(run)["state"] == "finished"
    finally:
        site.stop()
