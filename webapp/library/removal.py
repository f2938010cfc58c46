"""Taking a model out of the library, and giving back the room of what nothing uses any more."""

from __future__ import annotations

import logging
import shutil
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.library.adoption import STORING
from webapp.library.arriving import give_up
from webapp.library.models import Arrival, Blob, ModelFile
from webapp.library.storage import storage
from webapp.runs.models import Run
from workers.protocol import lenses

log = logging.getLogger(__name__)

REFUSALS_KEPT_S = 7 * 24 * 3600.0
"""How long the reason why something was refused can be read."""
ORPHANS_KEPT_S = 3600.0
"""Files without a row are younger than this while the row is about to be written."""


@dataclass(frozen=True)
class Removal:
    """What goes with a model. Runs stay readable; while there are any, its files stay too."""

    runs: int
    others_runs: int
    trainings: int
    has_lens: bool
    freed_bytes: int
    kept_bytes: int


def removal_of(checkpoint: Checkpoint, person: Person | None) -> Removal:
    """Reads the database."""
    runs = Run.objects.filter(checkpoint=checkpoint)
    blobs = Blob.objects.filter(uses__checkpoint=checkpoint).distinct()
    alone = sum(blob.size_bytes for blob in blobs if not blob.uses.exclude(checkpoint=checkpoint).exists())
    mine = runs.filter(owner=person).count()
    stays = runs.exists() or _learned_from(checkpoint).exists()
    return Removal(
        runs=mine,
        others_runs=runs.count() - mine,
        trainings=_learned_from(checkpoint).count(),
        has_lens=lenses.place(Path(settings.DATA), checkpoint.id).exists(),
        freed_bytes=0 if stays else alone,
        kept_bytes=alone if stays else 0,
    )


def remove(checkpoint: Checkpoint) -> None:
    """Out of the library at once; `collect` gives the room back when no run needs the files."""
    Checkpoint.objects.filter(pk=checkpoint.pk).update(removed_at=timezone.now())
    Arrival.objects.filter(checkpoint=checkpoint).delete()


def collect() -> int:
    """Removes models that were taken out and that nothing uses, then bytes that no model has. Returns how many bytes
    became free on the disk.
    """
    for checkpoint in Checkpoint.objects.filter(removed_at__isnull=False):
        if not Run.objects.filter(checkpoint=checkpoint).exists() and not _learned_from(checkpoint).exists():
            _forget(checkpoint)
    kept, freed = storage(), 0
    with STORING:
        before = timezone.now() - timedelta(seconds=ORPHANS_KEPT_S)
        for blob in Blob.objects.filter(uses=None, touched_at__lt=before):
            kept.drop(blob.sha256)
            blob.delete()
            freed += blob.size_bytes
        known = set(Blob.objects.values_list("sha256", flat=True))
        for sha256, touched in kept.stored():
            if sha256 not in known and touched < time.time() - ORPHANS_KEPT_S:
                kept.drop(sha256)
        kept.clear_broken_off(time.time() - ORPHANS_KEPT_S)
        folders = {folder.name: folder for folder in kept.folders()}
        there = set(Checkpoint.objects.filter(pk__in=folders).values_list("pk", flat=True))
        for name, folder in folders.items():
            if name not in there and folder.stat().st_mtime < time.time() - ORPHANS_KEPT_S:
                kept.clear_away(name)
    if freed:
        log.info("%d bytes of models that nothing uses are removed", freed)
    return freed


def _forget(checkpoint: Checkpoint) -> None:
    id_ = checkpoint.id
    with transaction.atomic():
        ids = ModelFile.objects.filter(checkpoint=checkpoint).values_list("blob_id", flat=True)
        # Nobody can be about to use them; without this they would wait an hour.
        long_ago = timezone.now() - timedelta(seconds=2 * ORPHANS_KEPT_S)
        Blob.objects.filter(pk__in=list(ids)).update(touched_at=long_ago)
        checkpoint.delete()
    storage().clear_away(id_)
    shutil.rmtree(lenses.folder(Path(settings.DATA), id_), ignore_errors=True)


def _learned_from(checkpoint: Checkpoint) -> QuerySet[Run]:
    """Trainings that have not ended and that start from this model, or cut their text as it does."""
    named = Q(plan__start=checkpoint.id) | Q(plan__tokenizer_from=checkpoint.id)
    return Run.objects.filter(named, plan__isnull=False).exclude(state__in=Run.ENDED)


def expire() -> int:
    """Gives up uploads that rested too long, and forgets old refusals and what became of old arrivals."""
    now = timezone.now()
    resting = Arrival.objects.filter(state=Arrival.State.UPLOADING, expires_at__lt=now)
    over = Arrival.objects.filter(
        state__in=[Arrival.State.REFUSED, Arrival.State.READY],
        created_at__lt=now - timedelta(seconds=REFUSALS_KEPT_S),
    )
    gone = [*resting, *over]
    for arrival in gone:
        give_up(arrival)
    _clear_orphans()
    return len(gone)


def _clear_orphans() -> None:
    parent = Path(settings.DATA) / "arriving"
    for folder in parent.iterdir() if parent.is_dir() else ():
        old = folder.stat().st_mtime < time.time() - ORPHANS_KEPT_S
        if old and not Arrival.objects.filter(pk=folder.name).exists():
            shutil.rmtree(folder, ignore_errors=True)
