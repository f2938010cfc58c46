"""Which run a request is about, for every line that is logged on its way; and a line for each request, if wanted."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from workers.protocol.log_lines import about_run

log = logging.getLogger(__name__)

RUN = re.compile(r"^/(?:api/v1/)?(?:runs|trainings)/([a-z2-7]{26})(?:/|$)")
QUIET = ("/static/", "/healthz", "/readyz", "/metrics")


class RequestLog:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        found = RUN.match(request.path)
        run = found[1] if found else ""
        began = time.monotonic()
        with about_run(run):
            response = self._get_response(request)
            if settings.LOGS == "json" and not request.path.startswith(QUIET):
                told = {"status": response.status_code, "took_ms": round(1000 * (time.monotonic() - began), 1)}
                # Without the query, in which people's words may stand.
                log.info("%s %s", request.method, request.path, extra={"told": told})
            return response
