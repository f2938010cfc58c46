"""Who asks, and what belongs to whom. Nobody's is everybody's; a person's own is private until it is made visible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest

from webapp.accounts.models import Person


class Owned(Protocol):
    """A row that may have an owner; `visible` where it can be shown to everybody."""

    owner_id: int | None


def person_of(request: HttpRequest) -> Person | None:
    """Who signed in; None of anybody who did not. Reads the session, where there is one."""
    return request.user if isinstance(request.user, Person) else None


def person_of_socket(scope: Mapping[str, Any]) -> Person | None:
    """The same of a socket, whose user was loaded when it connected."""
    user = scope.get("user")
    return user if isinstance(user, Person) else None


def may_enter(person: Person | None) -> bool:
    """Whether this site shows anything to whoever asks, beside shares."""
    return person is not None or settings.SIGN_IN != "required"


def may_see(person: Person | None, thing: Owned) -> bool:
    return may_change(person, thing) or bool(getattr(thing, "visible", False))


def may_change(person: Person | None, thing: Owned) -> bool:
    """Teachers and admins have no key to other people's things."""
    return thing.owner_id is None or (person is not None and thing.owner_id == person.pk)


def may_teach(person: Person | None) -> bool:
    return person is not None and person.acts_as in (Person.Role.TEACHER, Person.Role.ADMIN)


def may_curate(person: Person | None) -> bool:
    """Whether she may change what everybody sees first. On one's own machine nobody else sees it."""
    if settings.OWN_MACHINE:
        return True
    return may_teach(person)


def seen_by(person: Person | None) -> Q:
    """The same as a filter of rows that have a field `visible`."""
    seen = Q(owner=None) | Q(visible=True)
    return seen | Q(owner=person) if person else seen
