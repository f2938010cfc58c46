"""How allauth makes accounts here: nobody picks a name, and a site may be closed to new people."""

from __future__ import annotations

import secrets
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class Adapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return bool(settings.SIGN_UP)

    def populate_username(self, request: HttpRequest, user: Any) -> None:
        """A random one: it is shown nowhere, and tells nothing of the address."""
        user.username = secrets.token_hex(12)

    def add_message(self, *_: Any, **__: Any) -> None:
        """None: the page that follows says it."""
