"""Telling people who have not signed in apart, without knowing who they are."""

from __future__ import annotations

from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from webapp.accounts.ownership import person_of


def visitor_of(request: HttpRequest) -> str:
    """A mark of the address that asks, from which it cannot be read."""
    address = request.META.get("REMOTE_ADDR", "")
    return salted_hmac("visitor", address).hexdigest()[:16]


def name_of(request: HttpRequest) -> str:
    """Whoever asks, signed in or not."""
    person = person_of(request)
    return f"person {person.pk}" if person else f"visitor {visitor_of(request)}"
