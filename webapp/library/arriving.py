"""An upload's life in the database: declared with its lengths, arriving part by part, whole, or given up."""

from __future__ import annotations

import re
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import Person
from webapp.checkpoints.access import find_usable
from webapp.checkpoints.models import Checkpoint, Visibility
from webapp.library.error import LibraryError
from webapp.library.models import Arrival, ArrivingFile, expiry
from webapp.library.quota import require_room

FILES_LIMIT = 2_000
OPEN_LIMIT = 20
# A row is not written anew for each part of a long upload.
EXPIRY_STEP_S = 600.0
WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")
NAME_LIMIT, PATH_LIMIT = 120, 1000
SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Declared:
    """A file before its first byte. `sha256` may be left empty."""

    name: str
    size_bytes: int
    sha256: str = ""


def declare(
    person: Person | None, name: str, files: Sequence[Declared], like: str | None = None, **more: str
) -> Arrival:
    """An upload that may begin. Weights that come alone may name the model that they are built `like`, by its id.

    Raises: LibraryError before a byte is read.
    """
    require_allowed(person)
    model = _model(person, like, files) if like else None
    if not files or len(files) > FILES_LIMIT:
        raise LibraryError(
            422, "bad_files", f"An upload has 1 to {FILES_LIMIT:,} files.", field="files", limit=FILES_LIMIT
        )
    for file in files:
        require_plain(file.name, "files", PATH_LIMIT)
        if file.size_bytes < 0:
            raise LibraryError(422, "bad_files", "A file's size is 0 or more bytes.", field="files")
        if file.sha256 and not SHA256.fullmatch(file.sha256):
            raise LibraryError(422, "bad_files", "sha256 is 64 digits of 0-9 and a-f.", field="files")
    if len({unicodedata.normalize("NFC", file.name) for file in files}) != len(files):
        raise LibraryError(422, "bad_files", "Two of these files have the same name.", field="files")
    size_bytes = sum(file.size_bytes for file in files)
    with transaction.atomic():
        require_room(person, size_bytes)
        arrival = Arrival.objects.create(owner=person, name=named(name), like=model, **checked_more(person, more))
        arrival.parts.mkdir(parents=True)
        for file in files:
            row = ArrivingFile.objects.create(
                arrival=arrival,
                name=file.name,
                size_bytes=file.size_bytes,
                sha256=file.sha256,
                is_whole=file.size_bytes == 0,
            )
            row.path.touch()
        _close_if_whole(arrival)
    return arrival


def require_allowed(person: Person | None) -> None:
    """Raises: LibraryError where this person may not bring anything now."""
    if person is None and not settings.ANONYMOUS_UPLOADS:
        raise LibraryError(401, "sign_in", "Sign in to bring a model.")
    open_ = Arrival.objects.filter(owner=person, state__in=Arrival.OPEN).count()
    if open_ >= OPEN_LIMIT:
        raise LibraryError(
            429, "too_many_arrivals", f"{OPEN_LIMIT} uploads are on their way. Finish or cancel one.", limit=OPEN_LIMIT
        )


def _model(person: Person | None, id_: str, files: Sequence[Declared]) -> Checkpoint:
    """Which these weights are built like."""
    names = [PurePosixPath(file.name).name for file in files]
    if "config.json" in names or not any(name.endswith(WEIGHTS) for name in names):
        told = f"like is for weights (named {', '.join(WEIGHTS)}) that come without a config.json, and in no archive."
        raise LibraryError(422, "not_weights_alone", told, field="like")
    found = find_usable(id_, person)
    if found is None:
        raise LibraryError(
            404, "unknown_model", "There is no model with this id to build these weights like.", field="like"
        )
    return found


def checked_more(person: Person | None, more: dict[str, str]) -> dict[str, str]:
    """What else is said of a model when it comes. Of nobody's everybody sees it."""
    visibility = more.get("visibility") or (Visibility.SITE if person is None else Visibility.PRIVATE)
    if visibility not in Visibility.values:
        raise LibraryError(
            422, "bad_visibility", f"visibility is one of {', '.join(Visibility.values)}.", field="visibility"
        )
    if person is None:
        visibility = Visibility.SITE
    return {**more, "visibility": visibility}


def named(name: str) -> str:
    """A model's name as it will be shown. Raises: LibraryError."""
    name = " ".join(name.split())
    require_plain(name, "name", NAME_LIMIT)
    return name


def require_plain(text: str, field: str, limit: int) -> None:
    """Raises: LibraryError where a name is empty, too long, or holds what does not show or turns the text around."""
    if not text.strip() or len(text) > limit:
        raise LibraryError(422, "bad_name", f"A name has 1 to {limit:,} characters.", field=field, limit=limit)
    if any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for letter in text):
        raise LibraryError(
            422, "bad_name", "A name must not hold control characters or marks that do not show.", field=field
        )


def find_file(person: Person | None, id_: str) -> ArrivingFile:
    """Raises: LibraryError, for a stranger as for an id that there is none of."""
    file = ArrivingFile.objects.select_related("arrival").filter(pk=id_, arrival__owner=person).first()
    if file is None:
        raise LibraryError(404, "unknown_upload", "There is no upload with this id. Begin it again.", field="id")
    if file.arrival.state == Arrival.State.UPLOADING and file.arrival.expires_at < timezone.now():
        raise LibraryError(410, "upload_expired", "This upload rested too long and was given up. Begin it again.")
    return file


def find_arrival(person: Person | None, id_: str) -> Arrival:
    """Raises: LibraryError, as `find_file` does."""
    arrival = Arrival.objects.filter(pk=id_, owner=person).first()
    if arrival is None:
        raise LibraryError(404, "unknown_upload", "There is no upload with this id. Begin it again.", field="id")
    return arrival


def part_arrived(file: ArrivingFile) -> datetime:
    """After a part is on the disk: the upload may rest as long again, or nearly. Returns until when."""
    until = file.arrival.expires_at
    if until < expiry() - timedelta(seconds=EXPIRY_STEP_S):
        until = expiry()
        Arrival.objects.filter(pk=file.arrival_id).update(expires_at=until)
    if file.path.stat().st_size == file.size_bytes:
        with transaction.atomic():
            ArrivingFile.objects.filter(pk=file.pk).update(is_whole=True)
            _close_if_whole(file.arrival)
    return until


def _close_if_whole(arrival: Arrival) -> None:
    if not arrival.files.filter(is_whole=False).exists():
        uploading = Arrival.objects.filter(pk=arrival.pk, state=Arrival.State.UPLOADING)
        uploading.update(state=Arrival.State.UPLOADED)


def give_up(arrival: Arrival) -> None:
    """Removes it, row and files; a model that came of it stays. May be repeated."""
    folder = arrival.folder
    Arrival.objects.filter(pk=arrival.pk).delete()
    shutil.rmtree(folder, ignore_errors=True)
