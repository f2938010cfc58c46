"""A person who signed in. On one's own machine nobody needs to: what is made there belongs to nobody."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models


class Person(AbstractUser):
    """One account. `role` says what it may do beside what everybody may."""

    class Role(models.TextChoices):
        MEMBER = "member"
        TEACHER = "teacher"
        ADMIN = "admin"

    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
