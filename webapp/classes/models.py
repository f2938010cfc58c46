"""A class as a row, and who is in it."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from webapp.runs.models import new_id


class SchoolClass(models.Model):
    """People of one teacher. Python keeps the shorter name for itself."""

    id = models.CharField(primary_key=True, max_length=26, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    teacher = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="classes_taught")
    # 128 random bits that stand in the address for joining; null while nobody may join.
    link = models.CharField(max_length=26, unique=True, null=True, default=new_id)
    link_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def page(self) -> str:
        return f"/classes/{self.id}"

    @property
    def joining(self) -> str | None:
        """The address to put on the blackboard; None while nobody may join."""
        return f"/join/{self.link}" if self.is_open else None

    @property
    def is_open(self) -> bool:
        return self.link is not None and self.link_until is not None and self.link_until > timezone.now()


class Membership(models.Model):
    """One person in one class."""

    school_class = models.ForeignKey(SchoolClass, on_delete=models.CASCADE, related_name="memberships")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    joined_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["joined_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["school_class", "person"], name="in_a_class_once"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} in {self.school_class_id}"
