"""Somebody has a share open: its frames arrive, and when it is withdrawn the socket ends."""

from __future__ import annotations

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from tests.webapp.classes import school
from tests.webapp.conftest import store
from tests.webapp.people import socket_headers
from tests.webapp.test_watch_run import Viewer
from webapp import stream
from webapp.accounts.models import Person
from webapp.classes import joining
from webapp.runs import consumers as of_runs
from webapp.runs.models import Run
from webapp.shares import consumers, kept
from webapp.shares.models import ShareLink

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def share(run: Run, monkeypatch: pytest.MonkeyPatch) -> ShareLink:
    monkeypatch.setattr(consumers, "LOOK_AGAIN_S", 0.05)
    store(run, "started", "tokens", "site", "finished")
    made = ShareLink.objects.create(run=run, record={})
    kept.keep_frames(made.folder, stream.stored_frames(run.id))
    return made


class Guest(Viewer):
    def __init__(self, slug: str, query: str = "", headers: list[tuple[bytes, bytes]] | None = None) -> None:
        super().__init__("", query, headers)
        self.socket.scope["path"] = f"/ws/shares/{slug}"


async def test_frames_arrive_and_the_socket_stays(share: ShareLink) -> None:
    guest = Guest(share.slug)
    await guest.open()
    assert await guest.take(4) == [1, 2, 3, 4]
    assert await guest.socket.receive_nothing(timeout=0.3)
    await guest.cut()


async def test_frames_are_resumed_by_seq(share: ShareLink) -> None:
    guest = Guest(share.slug, "?after=2")
    await guest.open()
    assert await guest.take(2) == [3, 4]
    await guest.cut()


@pytest.mark.parametrize(
    "change", [{"revoked_at": timezone.now()}, {"expires_at": timezone.now() - timedelta(seconds=1)}]
)
async def test_socket_ends_when_the_share_does(share: ShareLink, change: dict[str, object]) -> None:
    guest = Guest(share.slug)
    await guest.open()
    await guest.take(4)
    await ShareLink.objects.filter(pk=share.pk).aupdate(**change)
    assert await guest.close_code() == consumers.GONE


@pytest.mark.parametrize("how", ["leaves", "class is deleted", "is locked out"])
async def test_socket_ends_when_a_viewer_is_no_longer_of_the_class(share: ShareLink, how: str) -> None:
    at_school = await sync_to_async(school)()
    quin, own = at_school.people["quin"], at_school.own
    await ShareLink.objects.filter(pk=share.pk).aupdate(audience=ShareLink.Audience.CLASS, school_class=own)
    guest, other = (Guest(share.slug, "", socket_headers(at_school.clients[name])) for name in ("quin", "pip"))
    for each in (guest, other):
        await each.open()
        await each.take(4)
    if how == "leaves":
        await sync_to_async(joining.leave)(own, quin.pk)
    elif how == "class is deleted":
        await own.adelete()
        assert await other.close_code() == consumers.GONE
    else:
        await Person.objects.filter(pk=quin.pk).aupdate(is_active=False)
    assert await guest.close_code() == consumers.GONE
    if how != "class is deleted":
        assert await other.socket.receive_nothing(timeout=0.3)
        await other.cut()


async def test_unknown_cut_and_closed_shares_are_one_answer(share: ShareLink) -> None:
    await sync_to_async(ShareLink.objects.create)(record={}, slug="b" * 22, password="hashed")
    for slug in ("unknown", share.slug[:-1], "b" * 22):
        guest = Guest(slug)
        await guest.open()
        assert await guest.close_code() == consumers.GONE


async def test_foreign_page_cannot_listen(share: ShareLink) -> None:
    guest = Guest(share.slug, "", [(b"host", b"localhost"), (b"origin", b"http://evil.example")])
    assert not await guest.open()


def test_a_socket_outlives_its_right_by_five_seconds_at_most() -> None:
    assert max(consumers.LOOK_AGAIN_S, of_runs.LOOK_AGAIN_S) < 5
