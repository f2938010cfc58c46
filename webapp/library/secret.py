"""Keeps what must be given back as it was, a token of the hub, unreadable for whoever has the database alone."""

from __future__ import annotations

import base64

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def seal(text: str) -> bytes:
    return _cipher().encrypt(text.encode())


def unseal(sealed: bytes) -> str | None:
    """None where the site's key is another one now."""
    try:
        return _cipher().decrypt(bytes(sealed)).decode()
    except InvalidToken:
        return None


def _cipher() -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"headlight hub token").derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
