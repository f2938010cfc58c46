"""Imports a model from the hub: `python -m workers.hub` fetches its files, and this holds the reins."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from webapp.accounts.models import Person
from webapp.library.adoption import refuse
from webapp.library.arriving import checked_more, require_allowed
from webapp.library.error import LibraryError
from webapp.library.inspection import ENVIRONMENT, Refusal
from webapp.library.models import Arrival, ArrivingFile
from webapp.library.quota import require_room
from webapp.library.secret import seal, unseal

log = logging.getLogger(__name__)

SOURCE = re.compile(r"([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@([A-Za-z0-9][\w./-]{0,99}))?", re.ASCII)
SILENCE_S = 120.0
"""A download that says nothing for so long has broken off."""


def begin_import(person: Person | None, source: str, token: str, **more: str) -> Arrival:
    """Raises: LibraryError."""
    require_allowed(person)
    if not settings.HUB_ENDPOINT:
        raise LibraryError(
            409, "imports_off", "This site imports from no hub. Whoever runs it can set HEADLIGHT_HUB_ENDPOINT."
        )
    source = source.strip()
    if not (named := SOURCE.fullmatch(source)) or ".." in source:
        raise LibraryError(
            422, "bad_source", "A model of the hub is owner/name or owner/name@revision.", field="source"
        )
    return Arrival.objects.create(
        owner=person,
        name=named[1].partition("/")[2],
        source=source,
        token=seal(token) if token else None,
        state=Arrival.State.IMPORTING,
        **checked_more(person, more),
    )


def fetch(arrival: Arrival) -> None:
    """To the end, or to the reason why not. An import that was under way before begins again."""
    shutil.rmtree(arrival.folder, ignore_errors=True)
    arrival.parts.mkdir(parents=True)
    ArrivingFile.objects.filter(arrival=arrival).delete()
    refusal = _fetched(arrival)
    if refusal is not None:
        refuse(arrival, refusal)


def _fetched(arrival: Arrival) -> Refusal | None:
    named = SOURCE.fullmatch(arrival.source)
    assert named is not None
    host = urlsplit(settings.HUB_ENDPOINT).hostname or ""
    asked = {
        "folder": str(arrival.folder),
        "name": named[1],
        "revision": named[2],
        "token": unseal(bytes(arrival.token)) if arrival.token else None,
        "endpoint": settings.HUB_ENDPOINT,
        "hosts": [host, *settings.HUB_FILE_HOSTS],
        "limit_bytes": settings.MODEL_LIMIT_BYTES,
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "workers.hub"],
        cwd=settings.BASE_DIR,
        env={**ENVIRONMENT, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    silence = threading.Timer(SILENCE_S, _end, [child])
    try:
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps(asked).encode())
        child.stdin.close()
        silence.start()
        for line in child.stdout:
            silence.cancel()
            silence = threading.Timer(SILENCE_S, _end, [child])
            silence.start()
            try:
                told = json.loads(line)
                refusal, is_over = _heard(arrival, told)
            except LibraryError as refused:
                return Refusal(refused.code, refused.message, refused.field, refused.limit)
            if is_over:
                return refusal
        return Refusal("hub_away", "The hub does not answer, or the line broke. Try the import again later.", "source")
    finally:
        silence.cancel()
        _end(child)
        child.wait()


def _heard(arrival: Arrival, told: dict[str, Any]) -> tuple[Refusal | None, bool]:
    """What a line of the downloader comes to, and whether it is the last."""
    row = Arrival.objects.filter(pk=arrival.pk, state=Arrival.State.IMPORTING)
    if "files" in told:
        require_room(arrival.owner, sum(file["size_bytes"] for file in told["files"]))
        for file in told["files"]:
            ArrivingFile.objects.create(
                arrival=arrival, name=file["name"], size_bytes=file["size_bytes"], sha256=file["sha256"]
            )
    elif "done_bytes" in told:
        if not row.update(fetched_bytes=told["done_bytes"]):
            return None, True  # Given up meanwhile.
    elif "refused" in told:
        return Refusal(told["refused"], told["message"], "source", told.get("limit")), True
    elif "fetched" in told:
        for file in ArrivingFile.objects.filter(arrival=arrival).select_related("arrival"):
            os.replace(Path(told["fetched"]) / file.name, file.path)
            ArrivingFile.objects.filter(pk=file.pk).update(is_whole=True)
        row.update(state=Arrival.State.UPLOADED, token=None)
        return None, True
    return None, False


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
