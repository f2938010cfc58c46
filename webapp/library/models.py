"""What is on its way into the library, and the files that its models are made of, as rows."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from webapp.checkpoints.models import Checkpoint, Visibility


def new_id() -> str:
    """128 random bits, which cannot be guessed."""
    return secrets.token_hex(16)


def expiry() -> datetime:
    return timezone.now() + timedelta(seconds=settings.ARRIVAL_KEPT_S)


class Arrival(models.Model):
    """One model that somebody brings, from the first byte to the verdict; when it is ready there is a Checkpoint.

    Its files lie under `folder` while they come and while they are inspected, and nowhere when that is over.
    """

    class State(models.TextChoices):
        UPLOADING = "uploading"
        IMPORTING = "importing"
        UPLOADED = "uploaded"
        INSPECTING = "inspecting"
        READY = "ready"
        REFUSED = "refused"

    OPEN: ClassVar = [State.UPLOADING, State.IMPORTING, State.UPLOADED, State.INSPECTING]

    id = models.CharField(primary_key=True, max_length=32, default=new_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="arrivals")
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADING)
    visibility = models.CharField(max_length=7, choices=Visibility, default=Visibility.SITE)
    licence = models.TextField(blank=True)
    sentence = models.CharField(max_length=300, blank=True)
    # Where weights come alone: the model whose config and tokenizer they get.
    like = models.ForeignKey(Checkpoint, on_delete=models.SET_NULL, null=True, related_name="+")
    # Of an import: "owner/name@revision", and the token for it, encrypted, until it is over.
    source = models.CharField(max_length=300, blank=True)
    token = models.BinaryField(null=True)
    fetched_bytes = models.BigIntegerField(default=0)
    # How many inspections began; the process of each may be lost.
    attempts = models.PositiveIntegerField(default=0)
    error = models.JSONField(null=True)
    notes = models.JSONField(default=list)
    checkpoint = models.OneToOneField(Checkpoint, on_delete=models.SET_NULL, null=True, related_name="arrival")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(default=expiry)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.state})"

    @property
    def folder(self) -> Path:
        return Path(settings.DATA) / "arriving" / self.id

    @property
    def parts(self) -> Path:
        return self.folder / "parts"

    @property
    def size_bytes(self) -> int:
        """As declared. Reads the rows of its files."""
        return sum(file.size_bytes for file in self.files.all())

    @property
    def arrived_bytes(self) -> int:
        """Reads the rows of its files, and the disk."""
        return sum(file.offset for file in self.files.all())


class ArrivingFile(models.Model):
    """One file of an arrival. How much of it is there, only the disk knows: it outlives every process."""

    id = models.CharField(primary_key=True, max_length=32, default=new_id)
    arrival = models.ForeignKey(Arrival, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=1000)
    size_bytes = models.BigIntegerField()
    # As whoever sends it says; compared when it is whole.
    sha256 = models.CharField(max_length=64, blank=True)
    is_whole = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> Path:
        return self.arrival.parts / self.id

    @property
    def offset(self) -> int:
        """How many bytes are there. Reads the disk."""
        if self.is_whole:
            return self.size_bytes
        try:
            return min(self.path.stat().st_size, self.size_bytes)
        except FileNotFoundError:
            return 0


class Blob(models.Model):
    """Bytes by their SHA-256, kept once however many models have them. `touched_at` is when one last took them up."""

    sha256 = models.CharField(primary_key=True, max_length=64)
    size_bytes = models.BigIntegerField()
    touched_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.sha256


class ModelFile(models.Model):
    """A file of a model: its name, and which bytes it is."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.CASCADE, related_name="files")
    name = models.CharField(max_length=200)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="uses")

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["checkpoint", "name"], name="a_name_once_a_model")]

    def __str__(self) -> str:
        return self.name
