"""Addresses that are keys, of shares and for joining a class, are told to nobody: no cache, search, site or log."""

from __future__ import annotations

import logging
import re

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

KEYED = re.compile(r"^/(?:s|embed|join|api/v1/shares)/")
IN_LOGS = re.compile(r"(/(?:s|embed|join|shares)/)[\w-]{8,}")


class SharePrivacy(MiddlewareMixin):
    """Puts the headers that say so on every answer of such an address.

    A page with a form, as that for joining is, tells where it comes from to this site alone: under no-referrer browsers
    send its form with `Origin: null`, which is refused as another site's.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if KEYED.match(request.path):
            response["Cache-Control"] = "private, no-store"
            has_form = getattr(response, "has_form", False) or request.path.startswith("/join/")
            response["Referrer-Policy"] = "same-origin" if has_form else "no-referrer"
            response["X-Robots-Tag"] = "noindex, nofollow"
        return response


def with_form(response: HttpResponse) -> HttpResponse:
    response.has_form = True  # type: ignore[attr-defined]
    return response


class HideSlugs(logging.Filter):
    """Lets every line pass, without the slugs that stand in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = IN_LOGS.sub(r"\1…", message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        return True
