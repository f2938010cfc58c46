"""Lists in pages: a cursor names the last row of a page, so rows that come or go meanwhile move nothing."""

from __future__ import annotations

import base64
import json
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.dateparse import parse_datetime
from ninja import Schema
from pydantic import Field

from webapp.api.errors import ApiError

Row = TypeVar("Row", bound=Model)


class Page(Schema):
    cursor: str = Field("", max_length=200, description="`next` of the page before; the first page where left out.")
    limit: int = Field(50, ge=1, le=200)


def page_of(rows: QuerySet[Row], page: Page) -> tuple[list[Row], str | None]:
    """The newest first. Raises: ApiError where the cursor is none of ours."""
    if page.cursor:
        created_at, pk = _read(page.cursor)
        rows = rows.filter(Q(created_at__lt=created_at) | Q(created_at=created_at, pk__lt=pk))
    found = list(rows.order_by("-created_at", "-pk")[: page.limit + 1])
    if len(found) <= page.limit:
        return found, None
    return found[: page.limit], _cursor(found[page.limit - 1])


def _cursor(row: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.created_at.isoformat(), row.pk]).encode()).decode()


def _read(cursor: str) -> tuple[Any, Any]:
    try:
        created_at, pk = json.loads(base64.urlsafe_b64decode(cursor))
        when = parse_datetime(created_at)
        if when is None or not isinstance(pk, str | int):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise ApiError(422, "bad_cursor", "Take the cursor from `next` of a page, as it is.", field="cursor") from None
    return when, pk
