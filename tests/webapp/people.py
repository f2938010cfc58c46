"""People of tests: whom a site knows, and what belongs to one of them."""

from __future__ import annotations

from django.conf import settings
from django.test import Client

from webapp.accounts.models import ApiToken, Person

PASSWORD = "a lamp in the fog"


def person(name: str, role: str = "member", password: str | None = PASSWORD) -> Person:
    """Without a password she is made quickly: hashing one takes a while, as it should."""
    return Person.objects.create_user(name, f"{name}@example.org", password, role=role)


def client_of(somebody: Person | None) -> Client:
    client = Client()
    if somebody:
        client.force_login(somebody)
    return client


def bearer(somebody: Person, *scopes: str) -> dict[str, str]:
    """The header of a token of hers."""
    return {"authorization": f"Bearer {ApiToken.make(somebody, 'test', list(scopes))[1]}"}


def socket_headers(client: Client) -> list[tuple[bytes, bytes]]:
    """With which a page of the site, where this client is signed in or not, opens a socket."""
    headers = [(b"host", b"localhost"), (b"origin", b"http://localhost")]
    if cookie := client.cookies.get(settings.SESSION_COOKIE_NAME):
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
    return headers
