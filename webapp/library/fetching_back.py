"""Models whose folder is gone from this disk, but whose bytes are known: they are laid out again.

So a new machine, or a disk restored without its files, has every model again by itself, as far as this disk or the
other place (`MODEL_STORAGE`) holds the bytes.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from pathlib import Path

from django import db

from webapp.checkpoints.models import Checkpoint
from webapp.library.models import ModelFile
from webapp.library.storage import WrongBytesError, storage

log = logging.getLogger(__name__)

# Said once a process, not at every round.
_told: set[str] = set()


def fetch_back() -> list[str]:
    """Lays out each model that was brought and is not whole here. Returns the ids of those that are again.

    One that cannot be fetched keeps no other waiting; it is tried again at the next call.
    """
    kept, back = storage(), []
    for checkpoint, files in _files_of_models():
        folder = kept.folder(checkpoint.id)
        if all((folder / name).exists() for name, _ in files):
            continue
        try:
            place = kept.lay_out(checkpoint.id, files)
        except db.Error:
            raise
        except Exception as error:  # Each storage has its own ways to say that it is away.
            _tell(checkpoint, error)
            continue
        if checkpoint.path != str(place):
            Checkpoint.objects.filter(pk=checkpoint.pk).update(path=str(place))
        _told.discard(checkpoint.id)
        back.append(checkpoint.id)
        log.info("the files of %s are back", checkpoint.id)
    return back


def _files_of_models() -> list[tuple[Checkpoint, list[tuple[str, str]]]]:
    """Each model that was brought, with the name and the hash of each of its files."""
    files: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for checkpoint, name, sha256 in ModelFile.objects.values_list("checkpoint_id", "name", "blob_id"):
        files[checkpoint].append((name, sha256))
    return [(checkpoint, files[checkpoint.id]) for checkpoint in Checkpoint.objects.filter(pk__in=files)]


def _tell(checkpoint: Checkpoint, error: Exception) -> None:
    if checkpoint.id not in _told:
        _told.add(checkpoint.id)
        why = "other bytes came" if isinstance(error, WrongBytesError) else str(error)[:200]
        log.warning("%s cannot be fetched back to %s: %s", checkpoint.id, Path(checkpoint.path).name, why)
