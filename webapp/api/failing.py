"""What is answered where the site itself failed outside the API's own code: on a page, or on the way to one."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from webapp.api.errors import failed, is_storage_away, log_failure


def site_failed(request: HttpRequest) -> HttpResponse:
    """503, and when to come again, while the database or the disk is out of reach; else 500. Reads neither."""
    error = sys.exc_info()[1]
    id_ = log_failure(request, error)
    if request.path.startswith("/api/"):
        return failed(request, error, id_)
    is_away = is_storage_away(error)
    response = render(request, "failed.html", {"is_away": is_away, "id": id_}, status=503 if is_away else 500)
    if is_away:
        response["Retry-After"] = "5"
    return response
