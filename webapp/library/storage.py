"""The bytes of models, by their SHA-256: once on this disk however many models have them, and elsewhere where asked.

    DATA/blobs/3f/3fa9…        the bytes
    DATA/library/MODEL/NAME    the same bytes by a second name, in a folder that workers open

With `MODEL_STORAGE` (any of Django's storages; S3 above all) the other place holds all of them, and what lies here can
be fetched again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import storages

SHA256 = re.compile(r"[0-9a-f]{64}")
REMOTE = "models"
PIECE_BYTES = 4 << 20


class WrongBytesError(Exception):
    """What the other place gave is not what was put there."""


def hash_of(path: Path) -> str:
    """Reads the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Storage:
    """Every call may be repeated, and may end half-way: names appear whole or not at all."""

    def __init__(self, data: Path, remote: Any = None) -> None:
        self._blobs, self._models, self._remote = data / "blobs", data / "library", remote

    def place(self, sha256: str) -> Path:
        if not SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256[:80]!r} is no SHA-256")
        return self._blobs / sha256[:2] / sha256

    def folder(self, model: str) -> Path:
        return self._models / model

    def keep(self, path: Path, sha256: str) -> None:
        """Takes the file up, which has this hash; it stays where it is by its old name too. On the disk for good, and
        in the other place, when this returns.
        """
        target = self.place(sha256)
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            with path.open("rb") as file:
                os.fsync(file.fileno())
            _link(path, target)
            _sync_folder(target.parent)
        self.hand_on(sha256)

    def hand_on(self, sha256: str) -> bool:
        """To the other place, where there is one that lacks these bytes. Returns whether that was so."""
        if self._remote is None or self._remote.exists(_remote_name(sha256)):
            return False
        with self.place(sha256).open("rb") as file:
            self._remote.save(_remote_name(sha256), File(file))
        return True

    def lay_out(self, model: str, files: Iterable[tuple[str, str]]) -> Path:
        """The model's folder, of pairs of a name and a hash. Raises: WrongBytesError, or what the other place does."""
        named = list(files)
        for _, sha256 in named:
            if not self.place(sha256).exists():
                self._fetch(sha256)
        # Only now: where the folder is, workers take the model for whole.
        folder = self.folder(model)
        folder.mkdir(parents=True, exist_ok=True)
        for name, sha256 in named:
            if not (folder / name).exists():
                _link(self.place(sha256), folder / name)
        _sync_folder(folder)
        return folder

    def _fetch(self, sha256: str) -> None:
        if self._remote is None:
            raise FileNotFoundError(f"the bytes {sha256} are gone")
        target = self.place(sha256)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{sha256}.{os.getpid()}")
        digest = hashlib.sha256()
        try:
            with self._remote.open(_remote_name(sha256)) as source, temporary.open("wb") as file:
                while piece := source.read(PIECE_BYTES):
                    digest.update(piece)
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
            if digest.hexdigest() != sha256:
                raise WrongBytesError(sha256)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)

    def clear_away(self, model: str) -> None:
        """Removes a model's folder; the bytes stay."""
        shutil.rmtree(self.folder(model), ignore_errors=True)

    def drop(self, sha256: str) -> None:
        """Removes bytes that no model has any more."""
        self.place(sha256).unlink(missing_ok=True)
        if self._remote is not None:
            self._remote.delete(_remote_name(sha256))

    def forget_here(self, sha256: str) -> None:
        """Makes room on this disk; the other place still has them."""
        if self._remote is not None:
            self.place(sha256).unlink(missing_ok=True)

    def stored(self) -> Iterable[tuple[str, float]]:
        """Each hash on this disk, and when its bytes were written."""
        for path in self._blobs.glob("??/*"):
            if SHA256.fullmatch(path.name):
                with contextlib.suppress(FileNotFoundError):
                    yield path.name, path.stat().st_mtime

    def clear_broken_off(self, before: float) -> None:
        """Removes what was never wholly fetched."""
        for path in self._blobs.glob("??/.*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()

    def folders(self) -> list[Path]:
        return sorted(self._models.iterdir()) if self._models.is_dir() else []


def storage() -> Storage:
    """As the settings have it."""
    remote = storages[REMOTE] if REMOTE in settings.STORAGES else None
    return Storage(Path(settings.DATA), remote)


def _remote_name(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256}"


def _link(source: Path, target: Path) -> None:
    """One more name for a file; a copy of it on a disk that has no such thing."""
    try:
        os.link(source, target)
    except FileExistsError:
        pass
    except OSError:
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
