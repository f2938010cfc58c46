"""Open a copy: a run of one's own with the frames of a share, whose maps its model can compute again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from webapp.accounts.models import Person
from webapp.checkpoints.access import find_usable
from webapp.runs.models import Run
from webapp.shares import kept
from webapp.shares.models import ShareLink
from workers.protocol import archive, frame


class ModelGoneError(Exception):
    """Without its model a run cannot be read any further."""


def copy_of(share: ShareLink, person: Person | None) -> tuple[Run, Run | None]:
    """With it the run that it is compared with, if it is. Raises: ModelGoneError; OSError where the disk is full."""
    with transaction.atomic():
        second = share.second and _copy(share.second["record"], share.folder / kept.SECOND, "", person)
        return _copy(share.record, share.folder, share.title, person), second


def _copy(record: dict[str, Any], frames: Path, title: str, person: Person | None) -> Run:
    checkpoint = find_usable(record["model"] or "", person)
    if checkpoint is None or checkpoint.is_missing:
        raise ModelGoneError
    run = Run.objects.create(
        kind=record["kind"],
        checkpoint=checkpoint,
        text=record["text"],
        ids=record["text_ids"],
        target=record["target"],
        target_ids=record["target_ids"],
        text_pair=record["text_pair"],
        picture=record["picture"],
        choices=record["generate"],
        title=title,
        owner=person,
        state=record["state"],
        ended_at=timezone.now(),
        implementation=record["implementation"],
        timings=record["timings"],
        error=record["error"],
    )
    writer = archive.ArchiveWriter(archive.folder(settings.DATA, run.id), 1)
    for seq, data in archive.read(frames):
        header, _ = frame.read_header(data)
        writer.append(seq, frame.retold(data, run=run.id) if header["type"] == "started" else data)
    writer.close()
    return run
