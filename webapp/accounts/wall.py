"""Who gets in: the three ways of signing in that a site may have, and the language of the forms for it."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import translation
from django.utils.deprecation import MiddlewareMixin
from django.utils.http import urlencode

from webapp.accounts.ownership import person_of
from webapp.language import language_of

OPEN = re.compile(
    r"^/(?:accounts/|s/|embed/|join/|static/|healthz$|readyz$|metrics$|api/v1/page-errors$|api/v1/shares/[\w-]+(?:/|$)|api/v1/openapi\.json$)"
)
"""What answers to whoever has not signed in, where everybody must: shares, and links for joining a class, judge
for themselves.
"""

OF_ACCOUNTS = re.compile(r"^/accounts?(?:/|$)")
NEEDS_ACCOUNTS = re.compile(r"^/(?:accounts?|classes|join|api/v1/classes)(?:/|$)")


class SignInWall(MiddlewareMixin):
    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        if settings.SIGN_IN == "off" and NEEDS_ACCOUNTS.match(request.path):
            raise Http404
        if settings.SIGN_IN != "required" or OPEN.match(request.path) or person_of(request):
            return None
        if request.path.startswith("/api/"):
            # Not JSON yet: webapp.api.errors gives every refusal of the API its shape.
            return HttpResponse(status=401)
        return redirect(f"/accounts/login/?{urlencode({'next': request.get_full_path()})}")

    def process_request(self, request: HttpRequest) -> None:
        if OF_ACCOUNTS.match(request.path):
            translation.activate(language_of(request))

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if OF_ACCOUNTS.match(request.path):
            translation.deactivate()
            response["Cache-Control"] = "private, no-store"
        elif person_of(request) and not request.path.startswith("/static/"):
            # What one person may see stays in no cache that another one opens after her.
            response["Cache-Control"] = "private, no-store"
        return response


def people(request: HttpRequest) -> dict[str, Any]:
    """For templates: who has signed in, and whether anybody can."""
    person = person_of(request)
    return {"person": person, "sign_in": settings.SIGN_IN, "sign_up": settings.SIGN_UP}
