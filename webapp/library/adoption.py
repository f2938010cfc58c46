"""From an arrival whose files are all there to a model of the library, or to the reason why not.

Every step may be repeated, and is, where the process that was on it is gone.
"""

from __future__ import annotations

import logging
import shutil
import threading
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from webapp.checkpoints.models import Checkpoint
from webapp.library.inspection import DiskFullError, InspectionDiedError, Ready, Refusal, inspect
from webapp.library.models import Arrival, ArrivingFile, Blob, ModelFile, new_id
from webapp.library.storage import hash_of, storage

log = logging.getLogger(__name__)

ATTEMPTS = 2
"""An inspection that died for no reason of the file's is tried once more; nothing is ready unchecked."""

LENT = frozenset([".json", ".txt", ".model", ".spm"])
"""The kinds of a model's files that say how it is built and how it cuts a text. The inspection chooses among them."""

# Bytes are taken up and dropped by one at a time, so that none are dropped that were just taken up.
STORING = threading.Lock()


def adopt(arrival: Arrival) -> None:
    """One inspection, to its end. The arrival is ours: nobody else is on it. Raises: OSError where the disk is full."""
    began = Arrival.objects.filter(pk=arrival.pk, state__in=[Arrival.State.UPLOADED, Arrival.State.INSPECTING])
    if not began.update(state=Arrival.State.INSPECTING, attempts=arrival.attempts + 1):
        return
    arrival.refresh_from_db()
    shutil.rmtree(arrival.folder / "model", ignore_errors=True)
    files = list(arrival.files.select_related("arrival"))
    if not all(file.path.is_file() for file in files):
        refuse(arrival, Refusal("files_gone", "The files that arrived are gone. Send them again."))
        return
    if arrival.like and arrival.like.is_missing:
        refuse(
            arrival, Refusal("model_missing", f"The files of {arrival.like.name}, which this is built like, are gone.")
        )
        return
    brought = [(file.name, file.path) for file in files]
    try:
        lent = _lent(arrival, brought)
        found = inspect(arrival.folder, brought + lent, settings.MODEL_LIMIT_BYTES)
        if isinstance(found, Ready):
            found = _wrong_hash(files) or found
        if lent and arrival.like and isinstance(found, Ready):
            names = ", ".join(path.name for _, path in lent)
            found.notes.append(f"Built like {arrival.like.name}, whose files stand beside the weights: {names}.")
    except InspectionDiedError as died:
        log.warning("arrival %s: %s", arrival.id, died)
        if arrival.attempts < ATTEMPTS:
            return
        found = Refusal("not_checked", "This could not be checked: the inspection ended twice. Try it again later.")
    except DiskFullError:
        found = Refusal("disk_full", "The site's disk is full: there is no room to unpack this. Try it again later.")
    if isinstance(found, Refusal):
        refuse(arrival, found)
    else:
        _take(arrival, found)


def refuse(arrival: Arrival, refusal: Refusal) -> None:
    """Nothing of it is kept but the reason."""
    error = {"code": refusal.code, "message": refusal.message, "field": refusal.field, "limit": refusal.limit}
    shutil.rmtree(arrival.folder, ignore_errors=True)
    Arrival.objects.filter(pk=arrival.pk).update(state=Arrival.State.REFUSED, error=error, token=None)


def _lent(arrival: Arrival, brought: list[tuple[str, Path]]) -> list[tuple[str, Path]]:
    """For weights that come without a config.json: that of the model which they are built like, and its tokenizer.

    They are copied, because the inspection sees no other folder. What was brought is never replaced.
    """
    if arrival.like is None:
        return []
    there, folder = {Path(name).name for name, _ in brought}, arrival.folder / "like"
    folder.mkdir(exist_ok=True)
    beside = Path(min(name for name, _ in brought)).parent
    lent = []
    for source in sorted(Path(arrival.like.path).iterdir()):
        if source.suffix in LENT and not source.name.endswith(".index.json") and source.name not in there:
            lent.append((str(beside / source.name), Path(shutil.copyfile(source, folder / source.name))))
    return lent


def _wrong_hash(files: list[ArrivingFile]) -> Refusal | None:
    for file in files:
        if file.sha256 and hash_of(file.path) != file.sha256:
            return Refusal(
                "wrong_checksum",
                "A file came otherwise than it was sent: its SHA-256 is not the one that was told. Send it again.",
                file.name[:80],
            )
    return None


def _take(arrival: Arrival, ready: Ready) -> None:
    """Files first, rows after: a row never names bytes that are not there."""
    folder, kept = arrival.folder / "model", storage()
    hashes = {name: hash_of(folder / name) for name in ready.files}
    model = arrival.checkpoint_id or new_id()
    with STORING:
        for name, sha256 in hashes.items():
            blob, _ = Blob.objects.get_or_create(sha256=sha256, defaults={"size_bytes": (folder / name).stat().st_size})
            Blob.objects.filter(pk=blob.pk).update(touched_at=timezone.now())
            kept.keep(folder / name, sha256)
        place = kept.lay_out(model, hashes.items())
        with transaction.atomic():
            checkpoint = _row(arrival, ready, model, place)
            checkpoint.save()
            for name, sha256 in hashes.items():
                ModelFile.objects.create(checkpoint=checkpoint, name=name, blob_id=sha256)
            told = {"state": Arrival.State.READY, "checkpoint": checkpoint, "notes": ready.notes, "token": None}
            if not Arrival.objects.filter(pk=arrival.pk).update(**told):
                raise FileNotFoundError("the upload was given up meanwhile")
    shutil.rmtree(arrival.folder, ignore_errors=True)


def _row(arrival: Arrival, ready: Ready, model: str, place: Path) -> Checkpoint:
    return Checkpoint(
        id=model,
        name=arrival.name,
        sentence=arrival.sentence,
        path=str(place),
        fingerprint="brought",
        manifest={**ready.manifest, "name": arrival.name},
        owner=arrival.owner,
        visibility=arrival.visibility,
        licence=arrival.licence or ready.licence,
        is_brought=True,
    )
