"""Somebody sends a model over a bad line: part by part, broken off anywhere, gone on with."""

from __future__ import annotations

import asyncio
import base64
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client
from django.utils import timezone

from webapp.accounts.models import Person
from webapp.asgi import application
from webapp.library import arriving, parts, quota, tus
from webapp.library.arriving import Declared, declare
from webapp.library.models import Arrival, ArrivingFile

pytestmark = pytest.mark.django_db(transaction=True)
PART = "application/offset+octet-stream"
CONTENT = bytes(range(256)) * 400


@pytest.fixture
async def site() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application)  # type: ignore[arg-type]
    headers = {"tus-resumable": "1.0.0"}
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000", headers=headers) as client:
        yield client


def encoded(**pairs: str) -> str:
    return ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())


async def create(site: httpx.AsyncClient, length: int = len(CONTENT), **pairs: str) -> str:
    headers = {"upload-length": str(length), "upload-metadata": encoded(filename="model.safetensors", **pairs)}
    answer = await site.post("/api/v1/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


async def send(site: httpx.AsyncClient, address: str, offset: int, content: Any, **headers: str) -> httpx.Response:
    given = {"content-type": PART, "upload-offset": str(offset), **headers}
    return await site.patch(address, content=content, headers=given)


async def offset(site: httpx.AsyncClient, address: str) -> int:
    return int((await site.head(address)).headers["upload-offset"])


async def row(address: str) -> ArrivingFile:
    return await ArrivingFile.objects.select_related("arrival").aget(pk=address.rpartition("/")[2])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_server_says_what_it_can(site: httpx.AsyncClient) -> None:
    told = (await site.options("/api/v1/uploads")).headers
    assert told["tus-version"] == "1.0.0"
    wanted = {"creation", "creation-with-upload", "checksum", "termination", "expiration"}
    assert wanted <= set(told["tus-extension"].split(","))
    assert int(told["tus-max-size"]) == settings.MODEL_LIMIT_BYTES


async def test_file_arrives_in_parts_and_is_whole(site: httpx.AsyncClient) -> None:
    address = await create(site)
    answer = await send(site, address, 0, CONTENT[:1000])
    assert (answer.status_code, answer.headers["upload-offset"]) == (204, "1000")
    assert await offset(site, address) == 1000
    assert (await row(address)).arrival.state == Arrival.State.UPLOADING
    await send(site, address, 1000, CONTENT[1000:])
    file = await row(address)
    assert file.is_whole and file.arrival.state == Arrival.State.UPLOADED
    assert file.path.read_bytes() == CONTENT
    assert (await send(site, address, len(CONTENT), b"")).status_code == 204


async def test_first_part_may_come_with_the_creation(site: httpx.AsyncClient) -> None:
    headers = {"upload-length": str(len(CONTENT)), "content-type": PART}
    answer = await site.post("/api/v1/uploads", headers=headers, content=CONTENT[:10])
    assert (answer.status_code, answer.headers["upload-offset"]) == (201, "10")


async def cut_off(address: str, sent: bytes, at: int = 0) -> None:
    """A request whose line breaks behind these bytes."""
    messages = [{"type": "http.request", "body": sent, "more_body": True}, {"type": "http.disconnect"}]

    async def receive() -> Any:
        return messages.pop(0)

    async def dropped(_: Any) -> None:
        pass

    told = {"host": "localhost:8000", "tus-resumable": "1.0.0", "content-type": PART, "upload-offset": str(at)}
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    scope = {"type": "http", "method": "PATCH", "path": address, "headers": headers, "query_string": b""}
    await application(scope, receive, dropped)


@pytest.mark.parametrize("cut", [0, 1, 4095, 65536, len(CONTENT) - 1])
async def test_line_that_breaks_anywhere_loses_nothing_that_arrived(site: httpx.AsyncClient, cut: int) -> None:
    address = await create(site)
    await cut_off(address, CONTENT[:cut])
    there = await offset(site, address)
    assert there == cut
    assert (await send(site, address, there, CONTENT[there:])).status_code == 204
    assert (await row(address)).path.read_bytes() == CONTENT


async def test_small_file_that_is_cut_at_each_of_its_bytes_is_whole_in_the_end(site: httpx.AsyncClient) -> None:
    content = CONTENT[:257]
    address = await create(site, length=len(content) + 1)
    for there in range(len(content)):
        await cut_off(address, content[there : there + 1], there)
        assert await offset(site, address) == there + 1
    assert (await row(address)).arrival.state == Arrival.State.UPLOADING
    assert (await send(site, address, len(content), b"!")).status_code == 204
    assert (await row(address)).path.read_bytes() == content + b"!"


async def test_wrong_offset_is_told_the_true_one(site: httpx.AsyncClient) -> None:
    address = await create(site)
    await send(site, address, 0, CONTENT[:100])
    for wrong in (0, 99, 101, 5000):
        answer = await send(site, address, wrong, CONTENT[wrong : wrong + 10])
        assert code(answer) == (409, "wrong_offset")
        assert answer.json()["error"]["limit"] == 100
    assert await offset(site, address) == 100


async def test_part_with_a_wrong_checksum_is_not_kept(site: httpx.AsyncClient) -> None:
    address = await create(site)
    right = base64.b64encode(hashlib.sha256(CONTENT[:100]).digest()).decode()
    answer = await send(site, address, 0, CONTENT[1:101], **{"upload-checksum": f"sha256 {right}"})
    assert code(answer) == (460, "wrong_checksum")
    assert await offset(site, address) == 0
    answer = await send(site, address, 0, CONTENT[:100], **{"upload-checksum": f"sha256 {right}"})
    assert answer.status_code == 204
    assert code(await send(site, address, 100, b"a", **{"upload-checksum": "crc32 AAAA"})) == (400, "bad_checksum")


async def test_more_than_was_declared_is_refused_before_it_is_read(
    site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some of it is let pass afterwards: else the connection is reset, and the answer with it."""
    monkeypatch.setattr(tus, "LINGER_BYTES", 5_000)
    address = await create(site, length=100)
    assert code(await send(site, address, 0, bytes(101))) == (413, "longer_than_declared")
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield bytes(1000)

    assert code(await send(site, address, 0, endless())) == (413, "longer_than_declared")
    assert read < 10_000
    assert await offset(site, address) == 0


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"upload-length": "-1"}, (400, "bad_number")),
        ({"upload-length": "9" * 30}, (400, "bad_number")),
        ({}, (400, "length_needed")),
        ({"upload-defer-length": "1"}, (400, "length_needed")),
        ({"upload-length": "5", "upload-metadata": "filename !!"}, (400, "bad_metadata")),
        ({"upload-length": "5", "upload-metadata": encoded(filename="a\u202eb")}, (422, "bad_name")),
        ({"upload-length": "5", "upload-metadata": encoded(filename="a\nb")}, (422, "bad_name")),
        ({"upload-length": str(51 * 10**9)}, (413, "model_too_large")),
        ({"upload-length": "5", "tus-resumable": "0.2.0"}, (412, "tus_version")),
    ],
)
async def test_creation_that_makes_no_sense_is_refused(
    site: httpx.AsyncClient, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert code(await site.post("/api/v1/uploads", headers=headers)) == expected
    assert not await Arrival.objects.aexists()


async def test_names_with_sql_and_html_are_names(site: httpx.AsyncClient) -> None:
    address = await create(site, title="<b>'); DROP TABLE runs;--")
    assert (await row(address)).arrival.name == "<b>'); DROP TABLE runs;--"


async def test_upload_that_is_given_up_leaves_nothing(site: httpx.AsyncClient) -> None:
    address = await create(site)
    await send(site, address, 0, CONTENT[:100])
    folder = (await row(address)).arrival.folder
    assert (await site.delete(address)).status_code == 204
    assert not folder.exists()
    assert code(await send(site, address, 100, b"a")) == (404, "unknown_upload")
    assert (await site.head(address)).status_code == 404


async def test_upload_that_rested_too_long_is_gone(site: httpx.AsyncClient) -> None:
    address = await create(site)
    told = (await site.head(address)).headers["upload-expires"]
    assert told.endswith("GMT")
    await Arrival.objects.aupdate(expires_at=timezone.now() - timedelta(seconds=1))
    assert (await site.head(address)).status_code == 410


async def test_quota_is_refused_before_the_body(site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "PERSON_QUOTA_BYTES", 150_000)
    await create(site)
    answer = await site.post("/api/v1/uploads", headers={"upload-length": str(len(CONTENT))})
    assert code(answer) == (413, "quota_used_up")
    monkeypatch.setattr(settings, "PERSON_QUOTA_BYTES", 10**9)
    monkeypatch.setattr(settings, "SITE_QUOTA_BYTES", 150_000)
    answer = await site.post("/api/v1/uploads", headers={"upload-length": str(len(CONTENT))})
    assert code(answer) == (413, "site_full")


def filled(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    usage = type(shutil.disk_usage("/"))(10**12, 10**12 - free, free)
    monkeypatch.setattr(quota.shutil, "disk_usage", lambda _: usage)


async def test_disk_without_room_above_its_floor_is_507(
    site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await create(site)
    filled(monkeypatch, 5 * 10**9 + 50_000)
    answer = await site.post("/api/v1/uploads", headers={"upload-length": str(len(CONTENT))})
    assert code(answer) == (507, "disk_full")
    assert answer.headers["retry-after"]
    assert code(await send(site, address, 0, CONTENT)) == (507, "disk_full")
    filled(monkeypatch, 6 * 10**9)
    assert (await send(site, address, 0, CONTENT)).status_code == 204


async def test_disk_that_fills_up_in_the_middle_keeps_what_it_took(
    site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = await create(site)
    write: Callable[..., int] = os.pwritev

    def little(descriptor: int, pieces: list[bytes], place: int) -> int:
        if place >= 3000:
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, [pieces[0][:3000]], place)

    monkeypatch.setattr(parts.os, "pwritev", little)
    assert code(await send(site, address, 0, CONTENT)) == (507, "disk_full")
    monkeypatch.setattr(parts.os, "pwritev", write)
    assert await offset(site, address) == 3000
    assert (await send(site, address, 3000, CONTENT[3000:])).status_code == 204
    assert (await row(address)).path.read_bytes() == CONTENT


async def test_strangers_upload_is_not_there_for_others(site: httpx.AsyncClient) -> None:
    ada = await Person.objects.acreate(username="ada")
    arrival = await sync_to_async(declare)(ada, "Hers", [Declared("model.safetensors", 10)])
    file = await arrival.files.aget()
    address = f"/api/v1/uploads/{file.id}"
    assert (await site.head(address)).status_code == 404
    assert code(await send(site, address, 0, b"0123456789")) == (404, "unknown_upload")
    assert code(await site.delete(address)) == (404, "unknown_upload")
    client = Client()
    await sync_to_async(client.force_login)(ada)
    site.cookies.set("sessionid", client.cookies["sessionid"].value)
    site.headers["origin"] = "http://localhost:8000"
    assert (await send(site, address, 0, b"0123456789")).status_code == 204


async def test_nobody_may_upload_where_one_must_sign_in(
    site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "ANONYMOUS_UPLOADS", False)
    answer = await site.post("/api/v1/uploads", headers={"upload-length": "5"})
    assert code(answer) == (401, "sign_in")


async def test_other_sites_page_cannot_upload(site: httpx.AsyncClient) -> None:
    answer = await site.post("/api/v1/uploads", headers={"upload-length": "5", "origin": "http://evil.example"})
    assert answer.status_code == 403


async def test_upload_of_several_files_is_whole_with_its_last(site: httpx.AsyncClient) -> None:
    arrival = await sync_to_async(declare)(None, "Two", [Declared("a/config.json", 2), Declared("a/empty.txt", 0)])
    waiting = await arrival.files.aget(is_whole=False)
    assert (await send(site, f"/api/v1/uploads/{waiting.id}", 0, b"{}")).status_code == 204
    assert (await Arrival.objects.aget(pk=arrival.pk)).state == Arrival.State.UPLOADED


async def test_so_many_open_uploads_and_no_more(site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arriving, "OPEN_LIMIT", 1)
    await create(site)
    assert code(await site.post("/api/v1/uploads", headers={"upload-length": "5"})) == (429, "too_many_arrivals")


async def test_newer_request_takes_over_from_one_that_hangs(
    site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that broke without a word leaves a request that waits for ever; whoever comes back must not."""
    monkeypatch.setattr(parts, "PIECE_BYTES", 1000)
    address = await create(site)
    hangs = asyncio.Event()

    async def stuck() -> AsyncIterator[bytes]:
        yield CONTENT[:2000]
        hangs.set()
        await asyncio.sleep(60)

    old = asyncio.create_task(send(site, address, 0, stuck()))
    await hangs.wait()
    await asyncio.sleep(0.2)
    there = await offset(site, address)
    assert there in (0, 2000)
    answer = await send(site, address, there, CONTENT[there:])
    if answer.status_code == 409:  # What the old request still had in hand was written when it stepped aside.
        there = answer.json()["error"]["limit"]
        answer = await send(site, address, there, CONTENT[there:])
    assert answer.status_code == 204
    assert (await old).status_code == 423
    assert (await row(address)).path.read_bytes() == CONTENT
