"""A share as a row: whose it is, what it shows, who may open it and until when. What it draws lies in its folder."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.hashers import check_password
from django.db import models
from django.db.models import F
from django.utils import timezone

from webapp.classes.models import SchoolClass
from webapp.runs.models import Run


def new_slug() -> str:
    """128 random bits that stand in an address: the slug alone opens an unlisted share."""
    return secrets.token_urlsafe(16)


class ShareLink(models.Model):
    """One link to one view of one run. `record` and `model` are what the API said of both when it was made."""

    class Audience(models.TextChoices):
        UNLISTED = "unlisted"
        SIGNED_IN = "signed_in"
        CLASS = "class"

    slug = models.CharField(max_length=22, unique=True, default=new_slug)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="shares")
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="shares")
    record = models.JSONField()
    model = models.JSONField(null=True)
    # The page's whole state, as its address says it: "?site=decoder.self.3&head=7".
    view = models.CharField(max_length=2000, blank=True)
    # {"positions": [a, b], "kept": [c, d], "tuned": false} where the lens was open: its window, and what is kept of it.
    lens = models.JSONField(null=True)
    # {"site": …, "head": …, "row": …, "col": …} of each weight whose making is kept, in the order of its frames.
    pairs = models.JSONField(null=True)
    # {"record": …, "model": …} of the run that this one is compared with.
    second = models.JSONField(null=True)
    title = models.CharField(max_length=120, blank=True)
    note = models.CharField(max_length=2000, blank=True)
    audience = models.CharField(max_length=9, choices=Audience, default=Audience.UNLISTED)
    # Hashed; empty where none is asked for.
    password = models.CharField(max_length=200, blank=True)
    # Whose people may open it, where it is for a class; null once that was deleted, and then nobody else may.
    school_class = models.ForeignKey(SchoolClass, on_delete=models.SET_NULL, null=True, related_name="shares")
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    openings = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]

    def __str__(self) -> str:
        return self.title or f"share {self.pk}"

    @property
    def folder(self) -> Path:
        """Named by the row, not by the slug: a list of the disk gives no link away."""
        return Path(settings.DATA) / "shares" / str(self.pk)

    @property
    def page(self) -> str:
        return f"/s/{self.slug}"

    @property
    def is_open(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def is_opened_by(self, password: str) -> bool:
        return check_password(password, self.password)

    def count_opening(self) -> None:
        ShareLink.objects.filter(pk=self.pk).update(openings=F("openings") + 1, opened_at=timezone.now())
