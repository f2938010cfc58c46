"""A page to try the API: Swagger UI as django-ninja brings it, served by this site alone."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def try_api(request: HttpRequest) -> HttpResponse:
    return render(request, "api_docs.html", {"swagger": settings.SWAGGER_URL})
