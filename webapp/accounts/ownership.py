"""Who asks."""

from __future__ import annotations

from django.http import HttpRequest

from webapp.accounts.models import Person


def person_of(request: HttpRequest) -> Person | None:
    """Who signed in; None of anybody who did not. Reads the session, where there is one."""
    return request.user if isinstance(request.user, Person) else None
