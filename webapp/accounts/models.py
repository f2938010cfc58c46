"""A person who signed in. On one's own machine nobody needs to: what is made there belongs to nobody."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    """One account. `role` says what it may do beside what everybody may."""

    class Role(models.TextChoices):
        MEMBER = "member"
        TEACHER = "teacher"
        ADMIN = "admin"

    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)

    @property
    def acts_as(self) -> str:
        """Her role; of a superuser always admin, since `manage.py createsuperuser` gives no role."""
        return self.Role.ADMIN if self.is_superuser else self.role


class ApiToken(models.Model):
    """A key for scripts. Its text is shown once; what is stored cannot be turned back into it."""

    class Scope(models.TextChoices):
        READ = "read"
        RUN = "run"
        TRAIN = "train"
        SHARE = "share"

    PREFIX = "hl_"

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    # 256 random bits need no slow hash.
    digest = models.CharField(max_length=64, unique=True)
    # The first letters, by which a person tells hers apart.
    beginning = models.CharField(max_length=12)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} ({self.beginning}…)"

    @classmethod
    def make(cls, person: Person, name: str, scopes: list[str]) -> tuple[ApiToken, str]:
        """The token and its text, which nobody can read again."""
        text = cls.PREFIX + secrets.token_urlsafe(32)
        made = cls.objects.create(person=person, name=name, digest=digest_of(text), beginning=text[:9], scopes=scopes)
        return made, text


def digest_of(token: str) -> str:
    return sha256(token.encode()).hexdigest()


class KeptAnswer(models.Model):
    """What a creation with an Idempotency-Key was answered, to be answered again."""

    # Who asked, and the key: a stranger's key is another one.
    name = models.CharField(max_length=64, primary_key=True)
    asked = models.CharField(max_length=64)
    # 0 while the first request is under way.
    status = models.PositiveSmallIntegerField(default=0)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name
