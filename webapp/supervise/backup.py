"""All that a site keeps, in one file, and back: rows as text, so that a backup also moves a site to another database.

A backup is a tar of `about.json`, `rows.jsonl` and `data/…`. Rows are read first and within one transaction; of files
that follow only what a row may name matters, and those are written once or grow.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from django.apps import apps
from django.conf import settings
from django.core import serializers
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from webapp.checkpoints.models import Checkpoint

ABOUT, ROWS, DATA = "about.json", "rows.jsonl", "data"
# What can be computed again, or belongs to processes that run now.
LEFT_OUT = {"broker", "captures", "streams", "instance.lock"}
# Made again by `migrate`; who is signed in signs in again.
OWN_TABLES = {"contenttypes.contenttype", "auth.permission", "sessions.session"}


class BackupError(Exception):
    """A sentence on what is in the way, and what to do."""


def back_up(path: Path) -> tuple[int, int]:
    """Writes it aside and renames it there: how many rows and files it holds. Raises: OSError, BackupError."""
    if path.exists():
        raise BackupError(f"{path} is there already. Name another file, or delete that one.")
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("xb") as file:
            told = _write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return told


def restore(path: Path) -> tuple[int, int]:
    """Into a site with nothing of its own, whose tables are made. Raises: OSError, BackupError."""
    _refuse_where_something_is()
    try:
        with tarfile.open(path) as tar:
            about = json.load(cast("IO[bytes]", tar.extractfile(ABOUT)))
            _refuse_newer(about["migrations"])
            with transaction.atomic():
                rows = _read_rows(cast("IO[bytes]", tar.extractfile(ROWS)), about["folders"])
                files = sum(_put(tar, member) for member in tar if member.name.startswith(f"{DATA}/"))
                if (rows, files) != (about["rows"], about["files"]):
                    raise BackupError(f"{path} is not whole: it was to hold {about['rows']:,} rows.")
    except (tarfile.TarError, KeyError, EOFError, json.JSONDecodeError) as error:
        raise BackupError(f"{path} is no backup of Headlight, or is cut off. Take another.") from error
    return rows, files


def _write(file: IO[bytes]) -> tuple[int, int]:
    with tarfile.open(fileobj=file, mode="w") as tar:
        with tempfile.TemporaryFile() as told:
            rows = 0
            with transaction.atomic():
                for instance in _all_rows():
                    told.write(serializers.serialize("jsonl", [instance], use_natural_foreign_keys=True).encode())
                    rows += 1
            files = [place for place in _files() if place.is_file()]
            about = {
                "rows": rows,
                "files": len(files),
                "folders": _folders(),
                "migrations": _migrations(),
                "made_at": timezone.now().isoformat(),
            }
            _add(tar, ABOUT, io.BytesIO(json.dumps(about).encode()))
            _add(tar, ROWS, told)
        for place in files:
            tar.add(place, f"{DATA}/{place.relative_to(settings.DATA).as_posix()}", recursive=False)
    return rows, len(files)


def _all_rows() -> Iterator[models.Model]:
    """Each after those that it points to, where no model points in a circle."""
    tables = [model for model in apps.get_models() if model._meta.label_lower not in OWN_TABLES and model._meta.managed]
    for model in serializers.sort_dependencies([("all", tables)], allow_cycles=True):
        if model in tables:
            yield from model._base_manager.order_by("pk").iterator(chunk_size=500)


def _read_rows(lines: IO[bytes], folders: dict[str, str]) -> int:
    """Whatever their order: constraints are looked at in the end."""
    rows, written = 0, set()
    with connection.constraint_checks_disabled():
        for told in serializers.deserialize("jsonl", io.TextIOWrapper(lines, encoding="utf-8")):
            if isinstance(told.object, Checkpoint):
                told.object.path = _moved(told.object.path, folders)
            told.save()
            written.add(type(told.object))
            rows += 1
    connection.check_constraints()
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), list(written)):
            cursor.execute(statement)
    return rows


def _folders() -> dict[str, str]:
    return {"data": str(settings.DATA), "program": str(settings.BASE_DIR)}


def _moved(path: str, folders: dict[str, str]) -> str:
    """Where a model lies now that lay within the site's folders then."""
    for name, now in _folders().items():
        if Path(path).is_relative_to(folders[name]):
            return str(Path(now) / Path(path).relative_to(folders[name]))
    return path


def _files() -> Iterator[Path]:
    for place in sorted(settings.DATA.rglob("*")):
        first = place.relative_to(settings.DATA).parts[0]
        is_of_database = place.name.startswith("headlight.sqlite3")
        if first not in LEFT_OUT and not place.name.startswith(".") and not is_of_database and not place.is_symlink():
            yield place


def _put(tar: tarfile.TarFile, member: tarfile.TarInfo) -> int:
    name = PurePosixPath(member.name).relative_to(DATA)
    if not member.isreg() or ".." in name.parts or name.is_absolute():
        raise BackupError(f"{member.name} is no plain file within the backup, so nothing was taken from it.")
    place = settings.DATA / name
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with place.open("wb") as file:
        content = cast("IO[bytes]", tar.extractfile(member))
        while block := content.read(1 << 20):
            file.write(block)
    place.chmod(member.mode & 0o700)
    return 1


def _add(tar: tarfile.TarFile, name: str, content: IO[bytes]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = content.seek(0, os.SEEK_END), int(time.time()), 0o600
    content.seek(0)
    tar.addfile(member, content)


def _migrations() -> list[str]:
    made = MigrationRecorder(connection).applied_migrations()
    return sorted(f"{app}.{name}" for app, name in made)


def _refuse_newer(migrations: list[Any]) -> None:
    unknown = sorted(set(migrations) - set(_migrations()))
    if unknown:
        raise BackupError(
            f"This backup is of a newer Headlight, or the tables are not made: {unknown[0]} is not known here. "
            "Install that version, and run python manage.py migrate."
        )


def _refuse_where_something_is() -> None:
    for model in apps.get_models():
        if model._meta.app_label in ("runs", "accounts", "shares") and model._base_manager.exists():
            raise BackupError(
                f"This site has {model._meta.verbose_name_plural} of its own. Restore into an empty data folder and "
                "database: set HEADLIGHT_DATA and DATABASE_URL, and run python manage.py migrate."
            )
