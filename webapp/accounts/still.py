"""Who looks on through a socket, now: a person may sign out, be locked out or change her password while it is open.

A thousand sockets that each look every few seconds would ask the database hundreds of times a second; what they ask
within a moment is read in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from webapp.accounts.models import Person
from webapp.accounts.ownership import person_of_socket

GATHERED_S = 0.25
"""How long those who ask wait for others who ask too."""


@dataclass
class _Reading:
    sessions: set[str] = field(default_factory=set)
    people: asyncio.Task[dict[str, Person]] | None = None


# An event loop has its own: a task must not be awaited from another loop.
_readings: WeakKeyDictionary[asyncio.AbstractEventLoop, _Reading] = WeakKeyDictionary()


async def person_still(scope: Mapping[str, Any]) -> Person | None:
    """Whoever opened this socket, as the database has her now; None if that was nobody, or she may not sign in any more
    with the session that she had.
    """
    person = person_of_socket(scope)
    session = scope["session"].session_key if person else None
    if session is None:
        return None
    reading = _readings.setdefault(asyncio.get_running_loop(), _Reading())
    reading.sessions.add(session)
    if reading.people is None:
        reading.people = asyncio.create_task(_read(reading))
    return (await asyncio.shield(reading.people)).get(session)


async def _read(reading: _Reading) -> dict[str, Person]:
    await asyncio.sleep(GATHERED_S)
    # Who asks from now on waits for the next.
    del _readings[asyncio.get_running_loop()]
    return await sync_to_async(_signed_in)(reading.sessions)


def _signed_in(sessions: Iterable[str]) -> dict[str, Person]:
    """By the key of the session, of those that are still good, as `django.contrib.auth.get_user` would find each."""
    rows = Session.objects.filter(pk__in=sessions, expire_date__gt=timezone.now())
    held = {row.session_key: row.get_decoded() for row in rows}
    people = {
        str(person.pk): person
        for person in Person.objects.filter(
            pk__in=[each[SESSION_KEY] for each in held.values() if SESSION_KEY in each], is_active=True
        )
    }
    found = {}
    for key, each in held.items():
        person = people.get(each.get(SESSION_KEY, ""))
        if person and any(
            constant_time_compare(each.get(HASH_SESSION_KEY, ""), mark)
            for mark in (person.get_session_auth_hash(), *person.get_session_auth_fallback_hash())
        ):
            found[key] = person
    return found
