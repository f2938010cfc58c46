"""How much may be brought: by one person, to the site, and by the disk."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from webapp.accounts.models import Person
from webapp.library.error import LibraryError
from webapp.library.models import Arrival, ArrivingFile, Blob

FLOOR_SHARE, FLOOR_BYTES = 0.05, 5 * 10**9
"""What stays free for everything else: a share of the disk, or so many bytes where that is less."""


@dataclass(frozen=True)
class Quota:
    """Used bytes count what is on its way as if it were there. `free_bytes` is the disk's, above its floor."""

    person_used_bytes: int
    person_limit_bytes: int
    site_used_bytes: int
    site_limit_bytes: int
    free_bytes: int
    model_limit_bytes: int


def quota_of(person: Person | None) -> Quota:
    """Reads the database and the disk."""
    theirs = Blob.objects.filter(uses__checkpoint__owner=person, uses__checkpoint__removed_at=None).distinct()
    own = Q(arrival__owner=person)
    return Quota(
        person_used_bytes=_sum(theirs) + _on_its_way(own),
        person_limit_bytes=settings.PERSON_QUOTA_BYTES,
        site_used_bytes=_sum(Blob.objects.all()) + _on_its_way(Q()),
        site_limit_bytes=settings.SITE_QUOTA_BYTES,
        free_bytes=max(0, free_bytes() - _not_there_yet()),
        model_limit_bytes=settings.MODEL_LIMIT_BYTES,
    )


def require_room(person: Person | None, size_bytes: int) -> None:
    """Raises: LibraryError, 413 where the person's or the site's quota is passed, 507 where the disk is full."""
    if size_bytes > settings.MODEL_LIMIT_BYTES:
        raise LibraryError(
            413,
            "model_too_large",
            f"A model may have {shown(settings.MODEL_LIMIT_BYTES)}; this one has {shown(size_bytes)}.",
            field="files",
            limit=settings.MODEL_LIMIT_BYTES,
        )
    quota = quota_of(person)
    if quota.person_used_bytes + size_bytes > quota.person_limit_bytes:
        raise LibraryError(
            413,
            "quota_used_up",
            f"You have {shown(quota.person_used_bytes)} of {shown(quota.person_limit_bytes)} here; another "
            f"{shown(size_bytes)} does not fit. Delete a model, and try again.",
            field="files",
            limit=quota.person_limit_bytes,
        )
    if quota.site_used_bytes + size_bytes > quota.site_limit_bytes:
        raise LibraryError(
            413,
            "site_full",
            "The site's library is full. Ask whoever runs it for room, or delete a model of yours.",
            field="files",
            limit=quota.site_limit_bytes,
        )
    if size_bytes > quota.free_bytes:
        raise disk_full()


def free_bytes() -> int:
    """Of the disk, above the floor. Reads the disk."""
    usage = shutil.disk_usage(settings.DATA)
    return max(0, usage.free - int(min(FLOOR_SHARE * usage.total, FLOOR_BYTES)))


def disk_full() -> LibraryError:
    return LibraryError(
        507, "disk_full", "The site's disk is full. What has arrived is kept; go on when there is room again."
    )


def shown(size_bytes: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size_bytes >= size:
            return f"{size_bytes / size:,.1f} {unit}"
    return f"{size_bytes:,} bytes"


def _on_its_way(whose: Q) -> int:
    files = ArrivingFile.objects.filter(whose, arrival__state__in=Arrival.OPEN)
    return int(files.aggregate(sum=Sum("size_bytes"))["sum"] or 0)


def _not_there_yet() -> int:
    """Of what was promised room. Reads the disk for each open file."""
    coming = ArrivingFile.objects.filter(arrival__state=Arrival.State.UPLOADING, is_whole=False)
    return sum(file.size_bytes - file.offset for file in coming.select_related("arrival"))


def _sum(blobs: QuerySet[Blob]) -> int:
    return sum(blobs.values_list("size_bytes", flat=True))
