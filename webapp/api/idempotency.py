"""Creations once a key: a request that comes again with its Idempotency-Key does nothing, and is answered as it was."""

from __future__ import annotations

import re
from datetime import timedelta
from hashlib import sha256

from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.deprecation import MiddlewareMixin

from webapp.accounts.models import KeptAnswer
from webapp.accounts.visitors import name_of
from webapp.api.errors import refusal

CREATIONS = re.compile(r"^/api/v1/(runs|trainings|sweeps|shares|classes)$|^/api/v1/shares/[\w-]+/copy$")
KEY = re.compile(r"^[\x21-\x7e]{1,200}$")
KEPT = timedelta(days=1)
UNDER_WAY = timedelta(minutes=2)
"""After so long without an answer the first request is taken for lost, and its key is free."""


class OncePerKey(MiddlewareMixin):
    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        key = request.headers.get("Idempotency-Key")
        if key is None or request.method != "POST" or not CREATIONS.match(request.path):
            return None
        if not KEY.match(key):
            return refusal(422, "bad_key", "An Idempotency-Key has 1 to 200 printable characters, no spaces.")
        name = sha256(f"{name_of(request)} {key}".encode()).hexdigest()
        asked = sha256(request.path.encode() + b" " + request.body).hexdigest()
        now = timezone.now()
        KeptAnswer.objects.filter(created_at__lt=now - KEPT).delete()
        KeptAnswer.objects.filter(name=name, status=0, created_at__lt=now - UNDER_WAY).delete()
        try:
            with transaction.atomic():
                KeptAnswer.objects.create(name=name, asked=asked)
        except IntegrityError:
            return _again(KeptAnswer.objects.filter(name=name).first(), asked)
        request.idempotency_name = name  # type: ignore[attr-defined]
        return None

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        name = getattr(request, "idempotency_name", None)
        if name is None:
            return response
        kept = KeptAnswer.objects.filter(name=name)
        if response.status_code == 201:
            kept.update(status=201, body=response.content.decode())
        else:
            kept.delete()  # Nothing was made, so it may be tried again.
        return response


def _again(kept: KeptAnswer | None, asked: str) -> HttpResponse:
    if kept is None or kept.status == 0:
        answer = refusal(409, "under_way", "The first request with this key is still under way. Ask again in a moment.")
        answer["Retry-After"] = "1"
        return answer
    if kept.asked != asked:
        return refusal(422, "key_used", "This Idempotency-Key was used for another request. Take a new one.")
    response = HttpResponse(kept.body, status=kept.status, content_type="application/json; charset=utf-8")
    response["Idempotency-Replayed"] = "true"
    return response
