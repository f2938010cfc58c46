"""Zips of labelled pictures over HTTP: sent once, then named by plans. This process stores them and opens none."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from webapp.api.asking import REFUSALS
from webapp.api.errors import ApiError
from webapp.api.schemas import ArchiveAnswer
from workers.protocol import archives

router = Router(tags=["trainings"])

BEGINNING = b"PK\x03\x04"


@router.post(
    "/archives",
    response={201: ArchiveAnswer, **REFUSALS},
    summary="Store a zip of labelled pictures for trainings",
    openapi_extra={
        "requestBody": {
            "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
            "required": True,
        }
    },
)
def store(request: HttpRequest) -> Status[dict[str, Any]]:
    """The body is the file itself: a folder for each label, pictures in it. Equal files have one id."""
    # Not request.body, which ends at the limit of the other addresses; webapp.asgi counts what this one may carry.
    content = request.read(settings.ARCHIVE_LIMIT_BYTES + 1)
    if len(content) > settings.ARCHIVE_LIMIT_BYTES:
        raise ApiError(
            413,
            "archive_too_long",
            f"A zip may have {settings.ARCHIVE_LIMIT_BYTES:,} bytes; this one is longer. Make the pictures smaller.",
            field="pictures",
            limit=settings.ARCHIVE_LIMIT_BYTES,
        )
    if not content.startswith(BEGINNING):
        raise ApiError(
            422, "not_a_zip", "This file is no zip. Pack folders of pictures, one for each label.", field="pictures"
        )
    return Status(201, {"id": archives.store(settings.DATA, content), "size_bytes": len(content)})
