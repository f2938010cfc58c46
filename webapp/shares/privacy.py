"""A share's address is its key, so it is told to nobody: not to caches, search engines, other sites or the log."""

from __future__ import annotations

import logging
import re

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

KEYED = re.compile(r"^/(?:s|embed|api/v1/shares)/")
IN_LOGS = re.compile(r"(/(?:s|embed|shares)/)[\w-]{8,}")


class SharePrivacy(MiddlewareMixin):
    """Puts the headers that say so on every answer of such an address."""

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if KEYED.match(request.path):
            response["Cache-Control"] = "private, no-store"
            response["Referrer-Policy"] = "no-referrer"
            response["X-Robots-Tag"] = "noindex, nofollow"
        return response


class HideSlugs(logging.Filter):
    """Lets every line pass, without the slugs that stand in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = IN_LOGS.sub(r"\1…", message)
        if hidden != message:
            record.msg, record.args = hidden, ()
        return True
