"""The files of uploads, byte by byte: tus 1.0 as plain ASGI, before Django, which would read a whole body first.

    POST    /api/v1/uploads         creation, and with a body its first part
    HEAD    /api/v1/uploads/FILE    how much is there
    PATCH   /api/v1/uploads/FILE    another part, from where the last one ended
    DELETE  /api/v1/uploads/FILE    gives up the upload that the file belongs to

An upload of several files is declared as JSON (POST /api/v1/arrivals), which gives each file such an address.
How much of a file is there, its length on the disk says: it is true after any end of this process.

Source: https://tus.io/protocols/resumable-upload, 1.0.0, with creation, creation-with-upload, checksum, termination
and expiration.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import io
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from asgiref.sync import sync_to_async
from channels.db import aclose_old_connections
from django import db
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpResponse
from django.utils.http import http_date

from webapp.accounts.models import Person
from webapp.accounts.ownership import may_enter, person_of
from webapp.accounts.tokens import TokenSignIn
from webapp.library import arriving
from webapp.library.error import LibraryError
from webapp.library.models import ArrivingFile
from webapp.library.parts import BusyError, ChecksumError, DiskFullError, TooLongError, write_part
from webapp.library.quota import disk_full, free_bytes

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

ROOT = "/api/v1/uploads"
VERSION = b"1.0.0"
EXTENSIONS = b"creation,creation-with-upload,checksum,termination,expiration"
ALGORITHMS = ("sha256", "sha1", "md5")
PART_TYPE = b"application/offset+octet-stream"
METADATA_LIMIT_BYTES = 8_192
# A length of more digits is no length, and thousands of digits are more than int() reads.
DIGITS_LIMIT = 18

# What is still taken in of a body that is refused: as much as the page sends at once, for so long.
LINGER_BYTES, LINGER_S = 32 << 20, 5.0

Headers = list[tuple[bytes, bytes]]


class Uploads:
    """Answers the addresses of uploads, and passes every other request on."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if path.rstrip("/") != ROOT and not path.startswith(f"{ROOT}/"):
            await self._application(scope, receive, send)
            return
        body = _Body(receive)
        # As Django does before each request: the database may have been started again since the last one.
        await aclose_old_connections()
        try:
            status, headers = await _answered(scope, body.receive, path.removeprefix(ROOT).strip("/"))
            await _send(send, status, headers)
        except LibraryError as refused:
            await _refuse(send, refused, body)
        except (db.Error, OSError):
            away = LibraryError(503, "storage_away", "The site cannot keep this now. What has arrived is kept; go on.")
            await _refuse(send, away, body)


class _Body:
    """What a request brings, as far as it was read."""

    def __init__(self, receive: Receive) -> None:
        self._receive, self._is_read = receive, False

    async def receive(self) -> MutableMapping[str, Any]:
        message = await self._receive()
        self._is_read = not message.get("more_body", False)
        return message

    async def let_pass(self) -> None:
        """Takes in the rest, within limits. A connection that is closed over unread bytes is reset, and whoever sends
        them never hears the answer.
        """
        left = LINGER_BYTES
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while left > 0 and not self._is_read:
                    left -= len((await self.receive()).get("body", b""))


async def _answered(scope: Scope, receive: Receive, id_: str) -> tuple[int, Headers]:
    headers: dict[bytes, bytes] = dict(scope["headers"])
    method = scope["method"]
    if method == "OPTIONS":
        return 204, [(b"tus-version", VERSION), (b"tus-extension", EXTENSIONS), _algorithms(), _max_size()]
    if headers.get(b"tus-resumable") != VERSION:
        raise LibraryError(412, "tus_version", "Say Tus-Resumable: 1.0.0; uploads go by that protocol.")
    person = await sync_to_async(_person)(scope)
    match method, bool(id_):
        case "POST", False:
            return await _create(person, headers, receive)
        case "HEAD", True:
            file = await sync_to_async(arriving.find_file)(person, id_)
            return 200, [*_place(file), (b"upload-length", _number(file.size_bytes)), (b"cache-control", b"no-store")]
        case "PATCH", True:
            file = await sync_to_async(arriving.find_file)(person, id_)
            return 204, await _append(file, headers, receive)
        case "DELETE", True:
            file = await sync_to_async(arriving.find_file)(person, id_)
            await sync_to_async(arriving.give_up)(file.arrival)
            return 204, []
    raise LibraryError(405, "wrong_method", f"This address takes {'HEAD, PATCH and DELETE' if id_ else 'POST'}.")


def _person(scope: Scope) -> Person | None:
    """Who sends this, as any view would be told. Reads the session or the token; the body is not touched.

    Raises: LibraryError where whoever it is may not.
    """
    request = ASGIRequest(scope, io.BytesIO())

    def nothing(_: Any) -> HttpResponse:
        return HttpResponse()

    SessionMiddleware(nothing).process_request(request)
    AuthenticationMiddleware(nothing).process_request(request)
    refused = TokenSignIn(nothing).process_request(request)
    if refused is not None and refused.status_code == 403:
        raise LibraryError(403, "scope", "This token may read and not upload. Make one with the scope for runs.")
    person = person_of(request)
    if refused is not None or not may_enter(person):
        raise LibraryError(401, "sign_in", "Sign in to bring a model, or send a token that is valid.")
    return person


async def _create(person: Person | None, headers: dict[bytes, bytes], receive: Receive) -> tuple[int, Headers]:
    if b"upload-defer-length" in headers or b"upload-length" not in headers:
        raise LibraryError(400, "length_needed", "Say Upload-Length: how many bytes the file has.")
    told = _metadata(headers.get(b"upload-metadata", b""))
    name = told.get("filename") or told.get("name") or "model.safetensors"
    declared = arriving.Declared(name, _whole_number(headers, b"upload-length"), told.get("sha256", ""))
    title = told.get("title") or name.rpartition("/")[2]
    arrival = await sync_to_async(arriving.declare)(person, title, [declared], told.get("like"))
    file = await sync_to_async(_first_file)(arrival)
    address = [(b"location", f"{ROOT}/{file.id}".encode())]
    if headers.get(b"content-type") != PART_TYPE:
        return 201, address + _place(file)
    return 201, address + await _append(file, {**headers, b"upload-offset": b"0"}, receive)


def _first_file(arrival: Any) -> ArrivingFile:
    return ArrivingFile.objects.select_related("arrival").get(arrival=arrival)


async def _append(file: ArrivingFile, headers: dict[bytes, bytes], receive: Receive) -> Headers:
    """Writes one part behind what is there."""
    if headers.get(b"content-type") != PART_TYPE:
        raise LibraryError(415, "part_expected", f"A part is sent as {PART_TYPE.decode()}.")
    offset = _whole_number(headers, b"upload-offset")
    length = _whole_number(headers, b"content-length") if b"content-length" in headers else None
    if file.is_whole or file.arrival.state != file.arrival.State.UPLOADING:
        if offset == file.size_bytes and not length:
            return _place(file)
        raise _wrong_offset(file.size_bytes)
    if length is not None and offset + length > file.size_bytes:
        raise _too_long(file)
    if (length or 0) > free_bytes():
        raise disk_full()
    digest, expected = _checksum(headers.get(b"upload-checksum"))
    try:
        await write_part(file, offset, receive, digest, expected)
    except BusyError:
        raise LibraryError(423, "upload_busy", "Another request is writing this file. Try again in a moment.") from None
    except TooLongError:
        raise _too_long(file) from None
    except ChecksumError:
        raise LibraryError(
            460, "wrong_checksum", "This part came otherwise than it was sent, and is not kept. Send it again."
        ) from None
    except DiskFullError:
        raise disk_full() from None
    except ValueError as wrong:
        raise _wrong_offset(int(str(wrong))) from None
    until = await sync_to_async(arriving.part_arrived)(file)
    return _place(file, until)


def _wrong_offset(offset: int) -> LibraryError:
    return LibraryError(
        409, "wrong_offset", f"Of this file {offset:,} bytes are there; go on from there.", field="offset", limit=offset
    )


def _too_long(file: ArrivingFile) -> LibraryError:
    return LibraryError(
        413,
        "longer_than_declared",
        f"This file was declared with {file.size_bytes:,} bytes, and more were sent.",
        field="size_bytes",
        limit=file.size_bytes,
    )


def _checksum(told: bytes | None) -> tuple[Any, bytes]:
    """The digest to be fed, and what it must come to; None where nothing is asked for."""
    if told is None:
        return None, b""
    algorithm, _, encoded = told.decode("latin-1").partition(" ")
    try:
        expected = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        expected = b""
    if algorithm not in ALGORITHMS or not expected:
        raise LibraryError(400, "bad_checksum", f"Upload-Checksum is one of {', '.join(ALGORITHMS)}, and base64.")
    return hashlib.new(algorithm, usedforsecurity=False), expected


def _metadata(told: bytes) -> dict[str, str]:
    """Pairs of a key and base64, parted by commas."""
    if len(told) > METADATA_LIMIT_BYTES:
        raise _bad_metadata()
    found = {}
    for pair in filter(None, told.decode("latin-1").split(",")):
        key, _, encoded = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise _bad_metadata() from None
    return found


def _bad_metadata() -> LibraryError:
    return LibraryError(
        400, "bad_metadata", f"Upload-Metadata is pairs of a key and base64, {METADATA_LIMIT_BYTES:,} bytes at most."
    )


def _whole_number(headers: dict[bytes, bytes], name: bytes) -> int:
    value = headers.get(name, b"")
    if not value.isdigit() or len(value) > DIGITS_LIMIT:
        raise LibraryError(400, "bad_number", f"{name.decode()} is a whole number of bytes.", field=name.decode())
    return int(value)


def _place(file: ArrivingFile, until: Any = None) -> Headers:
    until = until or file.arrival.expires_at
    return [(b"upload-offset", _number(file.offset)), (b"upload-expires", http_date(until.timestamp()).encode())]


def _number(value: int) -> bytes:
    return str(value).encode()


def _algorithms() -> tuple[bytes, bytes]:
    return b"tus-checksum-algorithm", ",".join(ALGORITHMS).encode()


def _max_size() -> tuple[bytes, bytes]:
    return b"tus-max-size", _number(settings.MODEL_LIMIT_BYTES)


async def _send(send: Send, status: int, headers: Headers, body: bytes = b"", more: bool = False) -> None:
    always = [
        (b"tus-resumable", VERSION),
        (b"content-length", _number(len(body))),
        (b"x-content-type-options", b"nosniff"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*always, *headers]})
    await send({"type": "http.response.body", "body": body, "more_body": more})


async def _refuse(send: Send, refused: LibraryError, body: _Body) -> None:
    """In the API's shape, problem details; at once, while the body is still coming."""
    names = ("code", "message", "field", "limit")
    error = {**{name: getattr(refused, name) for name in names}, "id": None}
    title = "Checksum Mismatch" if refused.status == 460 else HTTPStatus(refused.status).phrase
    told = {"type": f"urn:headlight:{refused.code}", "title": title, "status": refused.status}
    told |= {"detail": refused.message, "error": error}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    if refused.status in (423, 503, 507):
        headers.append((b"retry-after", b"60" if refused.status == 507 else b"2"))
    if refused.status == 412:
        headers.append((b"tus-version", VERSION))
    await _send(send, refused.status, headers, json.dumps(told).encode(), more=True)
    await body.let_pass()
    await send({"type": "http.response.body", "body": b""})
