"""Somebody watches a run on its socket: live, late, after a cut, after everything else is gone."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.conf import settings

from tests.webapp.conftest import store
from tests.workers.golden_frames import GOLDEN
from webapp.asgi import application
from webapp.runs import consumers
from webapp.runs.models import Run
from workers.protocol import frame
from workers.runtime.feed import Feed

pytestmark = pytest.mark.django_db(transaction=True)

WHOLE = ["started", "tokens", "site", "site", "site", "probabilities", "finished"]


class Viewer:
    """A socket and what came over it."""

    def __init__(self, run: str, query: str = "", headers: list[tuple[bytes, bytes]] | None = None) -> None:
        scope = {
            "type": "websocket",
            "path": f"/ws/runs/{run}",
            "query_string": query.lstrip("?").encode(),
            "headers": headers or [(b"host", b"localhost")],
            "subprotocols": [],
        }
        self.socket = ApplicationCommunicator(application, scope)
        self.seqs: list[int] = []

    async def open(self) -> bool:
        await self.socket.send_input({"type": "websocket.connect"})
        answer = await self.socket.receive_output(timeout=5)
        return bool(answer["type"] == "websocket.accept")

    async def take(self, count: int) -> list[int]:
        for _ in range(count):
            sent = await self.socket.receive_output(timeout=5)
            self.seqs.append(frame.decode(sent["bytes"]).event.seq)
        return self.seqs

    async def close_code(self) -> int:
        closed = await self.socket.receive_output(timeout=5)
        assert closed["type"] == "websocket.close"
        return int(closed["code"])

    async def cut(self) -> None:
        await self.socket.send_input({"type": "websocket.disconnect", "code": 1006})
        await self.socket.wait(timeout=5)


@pytest.fixture
async def feed(run: Run, broker: redis.Redis) -> Feed:
    feed = Feed.take(broker, settings.DATA, run.id, 1)
    assert feed is not None
    return feed


async def publish(feed: Feed, *names: str) -> None:
    for name in names:
        await sync_to_async(feed.publish)(*GOLDEN[name])


async def test_frames_arrive_in_order_and_the_end_closes(run: Run, feed: Feed) -> None:
    viewer = Viewer(run.id)
    assert await viewer.open()
    await publish(feed, *WHOLE)
    assert await viewer.take(7) == [1, 2, 3, 4, 5, 6, 7]
    assert await viewer.close_code() == 1000


async def test_cut_viewer_resumes_with_every_frame_once(run: Run, feed: Feed) -> None:
    viewer = Viewer(run.id)
    await viewer.open()
    await publish(feed, *WHOLE[:3])
    await viewer.take(2)
    await viewer.cut()
    await publish(feed, *WHOLE[3:])
    again = Viewer(run.id, "?after=2")
    await again.open()
    assert viewer.seqs + await again.take(5) == [1, 2, 3, 4, 5, 6, 7]
    assert await again.close_code() == 1000


async def test_late_viewer_gets_all_of_it(run: Run, feed: Feed) -> None:
    early, late = Viewer(run.id), Viewer(run.id)
    await early.open()
    await publish(feed, *WHOLE[:5])
    await early.take(5)
    await late.open()
    await publish(feed, *WHOLE[5:])
    assert await late.take(7) == await early.take(2) == [1, 2, 3, 4, 5, 6, 7]


async def test_stored_run_is_replayed_when_redis_has_forgotten_it(run: Run, feed: Feed, broker: redis.Redis) -> None:
    await publish(feed, *WHOLE)
    broker.flushall()
    viewer = Viewer(run.id, "?after=4")
    await viewer.open()
    assert await viewer.take(3) == [5, 6, 7]
    assert await viewer.close_code() == 1000


async def test_viewer_of_a_trimmed_stream_is_served_from_the_file(run: Run, feed: Feed, broker: redis.Redis) -> None:
    await publish(feed, *WHOLE[:5])
    broker.xtrim(f"run:{run.id}:frames", maxlen=1, approximate=False)
    viewer = Viewer(run.id)
    await viewer.open()
    await viewer.take(5)
    await publish(feed, *WHOLE[5:])
    assert await viewer.take(2) == [1, 2, 3, 4, 5, 6, 7]


async def test_frames_published_while_redis_was_away_still_arrive(
    run: Run, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = Viewer(run.id)
    await viewer.open()
    await publish(feed, *WHOLE[:2])
    await viewer.take(2)

    def away(*_: Any, **__: Any) -> None:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(feed, "_append", away)
    await publish(feed, *WHOLE[2:])
    assert await viewer.take(5) == [1, 2, 3, 4, 5, 6, 7]


async def test_viewer_who_has_everything_is_let_go(run: Run) -> None:
    await sync_to_async(store)(run, "started", "finished")
    viewer = Viewer(run.id, "?after=2")
    await viewer.open()
    assert await viewer.close_code() == 1000


async def test_unknown_run_closes_with_its_own_code(broker: redis.Redis) -> None:
    viewer = Viewer("nobody")
    await viewer.open()
    assert await viewer.close_code() == 4404


@pytest.mark.parametrize("after", ["-1", "x", "1.5", "9" * 40, "٣"])
async def test_after_that_is_no_number_closes_with_its_own_code(run: Run, after: str) -> None:
    viewer = Viewer(run.id, f"?after={after}&x=1")
    await viewer.open()
    assert await viewer.close_code() == 4400


@pytest.mark.parametrize(
    ("headers", "welcome"),
    [
        ([], True),
        ([(b"origin", b"http://localhost:8000")], True),
        ([(b"origin", b"http://evil.example")], False),
        ([(b"origin", b"http://localhost:9000")], False),
        ([(b"origin", b"null")], False),
        ([(b"cookie", b"sessionid=1")], False),
        ([(b"cookie", b"sessionid=1"), (b"origin", b"http://localhost:8000")], True),
    ],
)
async def test_socket_opens_only_to_our_own_pages_and_to_scripts(
    run: Run, headers: list[tuple[bytes, bytes]], welcome: bool
) -> None:
    viewer = Viewer(run.id, headers=[(b"host", b"localhost:8000"), *headers])
    assert await viewer.open() is welcome
    if welcome:
        await viewer.cut()


async def test_foreign_name_that_points_at_us_opens_no_socket(run: Run) -> None:
    """A page of evil.example whose name was rebound to this machine has the same host and origin."""
    headers = [(b"host", b"evil.example:8000"), (b"origin", b"http://evil.example:8000")]
    assert not await Viewer(run.id, headers=headers).open()


async def test_viewer_who_takes_nothing_holds_nobody_back(run: Run, feed: Feed) -> None:
    idle, brisk = Viewer(run.id), Viewer(run.id)
    await idle.open()
    await brisk.open()
    await publish(feed, *WHOLE)
    assert await brisk.take(7) == [1, 2, 3, 4, 5, 6, 7]
    assert await idle.take(7) == brisk.seqs


async def test_viewer_who_takes_nothing_for_long_is_let_go(
    run: Run, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever takes what is sent stays, however long the run says nothing."""
    monkeypatch.setattr(consumers, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(consumers, "STALL_S", 0.2)
    quick, stuck = Viewer(run.id), Viewer(run.id)
    put = stuck.socket.output_queue.put

    async def takes_no_frame(message: dict[str, Any]) -> None:
        if "bytes" in message:
            await asyncio.Event().wait()
        await put(message)

    stuck.socket.output_queue.put = takes_no_frame
    assert await quick.open() and await stuck.open()
    await publish(feed, "started")
    assert await stuck.close_code() == consumers.TOO_SLOW
    assert await quick.take(1) == [1]
    await asyncio.sleep(0.5)
    await publish(feed, "tokens")
    assert await quick.take(1) == [1, 2]
    await quick.cut()


async def test_tail_ends_when_its_last_viewer_leaves(run: Run, feed: Feed) -> None:
    viewer = Viewer(run.id)
    await viewer.open()
    await publish(feed, "started")
    await viewer.take(1)
    await viewer.cut()
    for _ in range(50):
        if not [task for task in asyncio.all_tasks() if task.get_name() == f"tail {run.id}"]:
            return
        await asyncio.sleep(0.02)
    pytest.fail("the tail still reads")
