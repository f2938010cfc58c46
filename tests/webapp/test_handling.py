"""A request is answered in one thread, which then waits for the next one."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

from webapp import handling
from webapp.handling import OneThread

pytestmark = pytest.mark.django_db(transaction=True)

seen: list[tuple[str, int, int]] = []
"""What ran, in which thread, with which connection to the database."""
gate = threading.Event()


def note(what: str) -> None:
    connection.ensure_connection()
    seen.append((what, threading.get_ident(), id(connection.connection)))


def plain(request: HttpRequest) -> HttpResponse:
    note("view")
    return HttpResponse("plain")


async def on_the_loop(request: HttpRequest) -> HttpResponse:
    asyncio.get_running_loop()
    await asyncio.sleep(0)
    await sync_to_async(note)("view")
    return HttpResponse("loop")


def slow(request: HttpRequest) -> HttpResponse:
    note("slow")
    assert gate.wait(20)
    return HttpResponse("slow")


class Noting:
    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        note("middleware")
        answer: HttpResponse = self._get_response(request)
        return answer


urlpatterns = [path("plain", plain), path("loop", on_the_loop), path("slow", slow)]


@pytest.fixture
def site(settings: Any) -> OneThread:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = ["django.middleware.common.CommonMiddleware", f"{__name__}.Noting"]
    settings.ALLOWED_HOSTS = ["localhost"]
    seen.clear()
    gate.clear()
    return OneThread()


def asked(site: OneThread, address: str) -> ApplicationCommunicator:
    scope = {"type": "http", "method": "GET", "path": f"/{address}", "headers": [(b"host", b"localhost")]}
    return ApplicationCommunicator(site, scope)


async def answer(communicator: ApplicationCommunicator) -> tuple[int, bytes]:
    await communicator.send_input({"type": "http.request"})
    start = await communicator.receive_output(timeout=10)
    body = await communicator.receive_output(timeout=10)
    await communicator.wait(timeout=10)
    return start["status"], body["body"]


@pytest.mark.parametrize("address", ["plain", "loop"])
async def test_all_of_a_request_is_in_one_thread_and_the_next_has_its_connection(site: OneThread, address: str) -> None:
    for _ in range(10):
        assert await answer(asked(site, address)) == (200, address.encode())
        while not site.idle:  # The answer is there a moment before its thread is free again.
            await asyncio.sleep(0.001)
    assert [what for what, _, _ in seen] == ["middleware", "view"] * 10
    assert [thread for _, thread, _ in seen[::2]] == [thread for _, thread, _ in seen[1::2]]
    (thread,) = {thread for _, thread, _ in seen}
    assert thread != threading.get_ident() and len({own for _, _, own in seen}) == 1


async def test_requests_at_once_have_threads_of_their_own(site: OneThread, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are kept."""
    monkeypatch.setattr(handling, "KEPT_THREADS", 1)
    waiting = [asyncio.create_task(answer(asked(site, "slow"))) for _ in range(4)]
    while len(seen) < 8:
        await asyncio.sleep(0.01)
    assert await answer(asked(site, "plain")) == (200, b"plain")
    gate.set()
    assert await asyncio.gather(*waiting) == [(200, b"slow")] * 4
    assert len({thread for what, thread, _ in seen if what != "middleware"}) == 5


async def test_thread_of_a_visitor_who_left_goes_to_nobody_while_it_is_at_work(site: OneThread) -> None:
    left = asked(site, "slow")
    await left.send_input({"type": "http.request"})
    while "slow" not in [what for what, _, _ in seen]:
        await asyncio.sleep(0.01)
    await left.send_input({"type": "http.disconnect"})
    for _ in range(3):
        assert await answer(asked(site, "plain")) == (200, b"plain")
    (at_work,) = [thread for what, thread, _ in seen if what == "slow"]
    assert at_work not in {thread for what, thread, _ in seen if what == "view"}
    gate.set()
    await left.wait(timeout=10)
