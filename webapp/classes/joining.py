"""The link by which people join: found, tried too often, renewed, taken back. Nobody joins by merely opening it."""

from __future__ import annotations

from datetime import timedelta

from django.core.cache import cache
from django.utils import timezone

from webapp.accounts.models import Person
from webapp.classes.models import Membership, SchoolClass
from webapp.runs.models import new_id

DAYS = (1, 7, 30)
"""For how long a link may be good."""

MOST_PEOPLE = 300
WRONG_FOR_S = {True: 300, False: 60}
WRONG_TRIES = {True: 5, False: 20}
"""As signing in has it: for a person, and for an address that many may share."""


class TooManyTriesError(Exception):
    """Links were wrong too often lately."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__("Links were wrong too often.")
        self.retry_after_s = retry_after_s


class ClassFullError(Exception):
    """As many are in it as may be."""


def class_behind(link: str, person: Person | None, asker: str) -> SchoolClass | None:
    """None for what is unknown, renewed, taken back and over alike. `asker` is as webapp.accounts.visitors names them.

    Raises: TooManyTriesError, before it looks.
    """
    counter, is_known = f"join-wrong-{asker.replace(' ', '-')}", person is not None
    if cache.get(counter, 0) >= WRONG_TRIES[is_known]:
        raise TooManyTriesError(WRONG_FOR_S[is_known])
    found = SchoolClass.objects.select_related("teacher").filter(link=link).first()
    if found is not None and found.is_open:
        return found
    cache.add(counter, 0, WRONG_FOR_S[is_known])
    cache.incr(counter)
    return None


def join(school_class: SchoolClass, person: Person) -> None:
    """Once, however often it is asked for; a teacher is in her class already. Raises: ClassFullError."""
    if school_class.teacher_id == person.pk:
        return
    if school_class.memberships.count() >= MOST_PEOPLE and not school_class.memberships.filter(person=person).exists():
        raise ClassFullError
    Membership.objects.get_or_create(school_class=school_class, person=person)


def leave(school_class: SchoolClass, person_id: int) -> bool:
    """Whether she was in it."""
    # SQLite reads no larger number.
    return person_id < 2**63 and bool(school_class.memberships.filter(person=person_id).delete()[0])


def renew(school_class: SchoolClass, days: int) -> None:
    """Another link; the one before leads nowhere from now on."""
    school_class.link, school_class.link_until = new_id(), timezone.now() + timedelta(days=days)
    school_class.save(update_fields=["link", "link_until"])


def take_back(school_class: SchoolClass) -> None:
    school_class.link = school_class.link_until = None
    school_class.save(update_fields=["link", "link_until"])
