"""Signing in a script: `Authorization: Bearer hl_…`, and what a token's scopes let it do."""

from __future__ import annotations

import re
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from webapp.accounts.models import ApiToken, digest_of

Scope = ApiToken.Scope
USED_EVERY = timedelta(minutes=1)
"""How exactly it is told when a token was last used: not each request shall write."""

# What changes something, by the beginning of its address; the first that fits.
SCOPES = [
    (re.compile(r"^/api/v1/(shares|classes)(/|$)"), Scope.SHARE),
    (re.compile(r"^/api/v1/(trainings|sweeps|archives)(/|$)|^/api/v1/models/[^/]+/lens"), Scope.TRAIN),
    (re.compile(r"^/api/v1/"), Scope.RUN),
]


class TokenSignIn(MiddlewareMixin):
    """Makes whoever a token belongs to the one who asks. Only the API is asked so: a token opens no page."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        kind, _, text = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer" or not request.path.startswith("/api/"):
            return None
        token = ApiToken.objects.select_related("person").filter(digest=digest_of(text.strip())).first()
        if token is None or not token.person.is_active:
            return _refusal(401, "bad_token")
        if scope_of(request.method or "GET", request.path) not in token.scopes:
            return _refusal(403, "scope")
        now = timezone.now()
        if token.used_at is None or now - token.used_at > USED_EVERY:
            ApiToken.objects.filter(pk=token.pk).update(used_at=now)
        request.user = token.person
        return None


def scope_of(method: str, path: str) -> str:
    if method in ("GET", "HEAD", "OPTIONS"):
        return Scope.READ
    return next((scope for address, scope in SCOPES if address.match(path)), Scope.RUN)


def _refusal(status: int, code: str) -> HttpResponse:
    """Without a body: webapp.api.errors says it in the API's shape, by this header."""
    response = HttpResponse(status=status)
    response["X-Refusal"] = code
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response
