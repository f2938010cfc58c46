"""Pictures over HTTP: sent once, as they are, then named by runs. This process stores them and opens none."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from webapp.api.asking import REFUSALS
from webapp.api.errors import ApiError
from webapp.api.schemas import PictureAnswer
from workers.protocol import pictures

router = Router(tags=["runs"])

# How the files begin that workers can read: the sender is told at once, and nothing else is stored.
BEGINNINGS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM")


@router.post(
    "/pictures",
    response={201: PictureAnswer, **REFUSALS},
    summary="Store a picture for runs of vision models",
    openapi_extra={
        "requestBody": {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "required": True}
    },
)
def store(request: HttpRequest) -> Status[dict[str, Any]]:
    """The body is the file itself: PNG, JPEG, WebP, GIF or BMP. Equal files have one id."""
    # Not request.body, which ends at the limit of the other addresses; webapp.asgi counts what this one may carry.
    content = request.read(settings.PICTURE_LIMIT_BYTES + 1)
    if len(content) > settings.PICTURE_LIMIT_BYTES:
        raise ApiError(
            413,
            "picture_too_long",
            f"A picture may have {settings.PICTURE_LIMIT_BYTES:,} bytes; this one is longer. Make it smaller.",
            limit=settings.PICTURE_LIMIT_BYTES,
        )
    if not content:
        raise ApiError(422, "empty_picture", "The body is empty. Send the file of a picture as the body.")
    if not _begins_as_picture(content):
        raise ApiError(422, "not_a_picture", "This file is no PNG, JPEG, WebP, GIF or BMP. Save it as one of them.")
    return Status(201, {"id": pictures.store(settings.DATA, content), "size_bytes": len(content)})


def _begins_as_picture(content: bytes) -> bool:
    return content.startswith(BEGINNINGS) or (content.startswith(b"RIFF") and content[8:12] == b"WEBP")
