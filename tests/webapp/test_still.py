"""A run is watched by whoever made it; she signs out, or may sign in no more, and her open sockets end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.webapp.people import client_of, person, socket_headers
from tests.webapp.test_watch_run import Viewer
from webapp.accounts import still
from webapp.accounts.models import Person
from webapp.runs import consumers
from webapp.runs.models import Run

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ada(run: Run, broker: Any, monkeypatch: pytest.MonkeyPatch) -> Person:
    monkeypatch.setattr(consumers, "LOOK_AGAIN_S", 0.05)
    monkeypatch.setattr(consumers, "SHARED_S", 0.05)
    monkeypatch.setattr(still, "GATHERED_S", 0.02)
    run.owner = person("ada")
    run.save()
    return run.owner


def at_home_and_at_work(ada: Person) -> list[Client]:
    return [client_of(ada), client_of(ada)]


async def watching(run: Run, client: Client) -> Viewer:
    viewer = Viewer(run.id, "", socket_headers(client))
    assert await viewer.open()
    assert await viewer.socket.receive_nothing(timeout=0.3)
    return viewer


def signs_out(ada: Person, client: Client) -> None:
    client.logout()


def session_is_over(ada: Person, client: Client) -> None:
    key = client.cookies[settings.SESSION_COOKIE_NAME].value
    Session.objects.filter(pk=key).update(expire_date=timezone.now() - timedelta(seconds=1))


def changes_her_password(ada: Person, client: Client) -> None:
    ada.set_password("another lamp")
    ada.save()


def is_locked_out(ada: Person, client: Client) -> None:
    Person.objects.update(is_active=False)


@pytest.mark.parametrize(
    ("change", "others_end"),
    [(signs_out, False), (session_is_over, False), (changes_her_password, True), (is_locked_out, True)],
)
async def test_socket_ends_with_the_right_to_it(
    run: Run, ada: Person, change: Callable[[Person, Client], None], others_end: bool
) -> None:
    clients = await sync_to_async(at_home_and_at_work)(ada)
    home, work = [await watching(run, client) for client in clients]
    await sync_to_async(change)(ada, clients[0])
    assert await home.close_code() == consumers.UNKNOWN_RUN
    if others_end:
        assert await work.close_code() == consumers.UNKNOWN_RUN
    else:
        assert await work.socket.receive_nothing(timeout=0.3)
        await work.cut()


async def test_database_that_is_away_for_a_while_neither_ends_a_socket_nor_what_guards_it(
    run: Run, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients = await sync_to_async(at_home_and_at_work)(ada)
    viewer = await watching(run, clients[0])

    def away(_: Any) -> Any:
        raise OperationalError("connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(still, "_signed_in", away)
        assert await viewer.socket.receive_nothing(timeout=0.3)
    await sync_to_async(signs_out)(ada, clients[0])
    assert await viewer.close_code() == consumers.UNKNOWN_RUN


def test_many_are_read_in_two_queries(ada: Person) -> None:
    people = [ada, *(person(f"p{number}", password=None) for number in range(8))]
    keys = [client_of(each).cookies[settings.SESSION_COOKIE_NAME].value for each in people for _ in range(2)]
    with CaptureQueriesContext(connection) as queries:
        found = still._signed_in({*keys, "made up"})
    assert found == dict(zip(keys, [each for each in people for _ in range(2)], strict=True))
    assert len(queries) == 2
