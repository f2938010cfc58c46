"""Who may open a share. What is unknown, withdrawn or over is one answer: a slug that is guessed says nothing."""

from __future__ import annotations

import hmac
from collections.abc import MutableMapping
from enum import Enum
from hashlib import sha256
from typing import Any

from django.contrib.auth.hashers import make_password
from django.core.cache import cache

from webapp.accounts.models import Person
from webapp.classes.access import is_in
from webapp.shares.models import ShareLink

SESSION_KEY = "opened_shares"
WRONG_TRIES = 5
WRONG_FOR_S = 300


class Closed(Enum):
    """Why a share does not open."""

    GONE = "gone"
    SIGN_IN = "sign_in"
    PASSWORD = "password"


class TooManyTriesError(Exception):
    """The password was wrong too often lately."""


def enter(
    slug: str, person: Person | None, session: MutableMapping[str, Any], password: str | None = None
) -> ShareLink | Closed:
    """The share that this visitor may see. Whoever made it needs no password.

    `password` comes with a script's request; a browser's session remembers that it was given. Reads the database.

    Raises: TooManyTriesError.
    """
    share = ShareLink.objects.filter(slug=slug).first()
    if share is None or not share.is_open:
        return Closed.GONE
    if share.owner_id is not None and person is not None and share.owner_id == person.pk:
        return share
    if share.audience != ShareLink.Audience.UNLISTED and person is None:
        return Closed.SIGN_IN
    if share.audience == ShareLink.Audience.CLASS and not is_in(person, share.school_class_id):
        return Closed.GONE
    if share.password and not _is_remembered(share, session) and not (password and try_password(share, password)):
        return Closed.PASSWORD
    return share


def try_password(share: ShareLink, password: str) -> bool:
    """Raises: TooManyTriesError, before it looks."""
    counter = f"share-wrong-{share.pk}"
    if cache.get(counter, 0) >= WRONG_TRIES:
        raise TooManyTriesError
    if share.is_opened_by(password):
        return True
    cache.add(counter, 0, WRONG_FOR_S)
    cache.incr(counter)
    return False


def remember(share: ShareLink, session: MutableMapping[str, Any]) -> None:
    session[SESSION_KEY] = {**session.get(SESSION_KEY, {}), str(share.pk): _mark(share)}


def hashed(password: str) -> str:
    return make_password(password) if password else ""


def _is_remembered(share: ShareLink, session: MutableMapping[str, Any]) -> bool:
    marked = session.get(SESSION_KEY, {}).get(str(share.pk), "")
    return hmac.compare_digest(marked, _mark(share))


def _mark(share: ShareLink) -> str:
    """Another password makes everybody ask again."""
    return sha256(share.password.encode()).hexdigest()[:24]
