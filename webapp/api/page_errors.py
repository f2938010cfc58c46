"""What went wrong in somebody's browser, into the site's own log beside what web and worker say of the same run."""

from __future__ import annotations

import logging
import re

from django.core.cache import cache
from django.http import HttpRequest
from ninja import Router, Schema
from ninja.responses import Status
from pydantic import Field

from webapp.accounts.visitors import visitor_of
from webapp.api.asking import REFUSALS

log = logging.getLogger("browser")
router = Router(tags=["site"])

A_MINUTE = 20
"""Of one visitor; a page that fails in each frame says the same again."""
CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


class PageErrorRequest(Schema):
    """Of an error that no code caught: its words, where in our code, and the run that the page shows."""

    message: str = Field(max_length=500)
    place: str = Field("", max_length=300)
    run: str = Field("", pattern=r"^[a-z2-7]{0,26}$")


@router.post("/page-errors", response={204: None, **REFUSALS}, summary="Tell the site's log what went wrong on a page")
def page_error(request: HttpRequest, payload: PageErrorRequest) -> Status[None]:
    key = f"page-errors:{visitor_of(request)}"
    cache.add(key, 0, 60)
    try:
        told = cache.incr(key)
    except ValueError:  # It ran out in between.
        told = 1
    if told <= A_MINUTE:
        words, place = (CONTROL.sub(" ", text) for text in (payload.message, payload.place))
        log.warning("%s (%s)", words, place, extra={"run": payload.run})
    return Status(204, None)
