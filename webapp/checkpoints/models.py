"""A checkpoint that people can choose, as a row. Its weights stay where they lie; only workers open them."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from django.conf import settings
from django.db import models

from workers.protocol.jobs import Source


class Visibility(models.TextChoices):
    """Who may use a model: its owner; whoever has its id; everybody, who sees it listed."""

    PRIVATE = "private"
    LINK = "link"
    SITE = "site"


class Checkpoint(models.Model):
    """One checkpoint folder. `manifest` is what `python -m modelcore describe` said of it."""

    id = models.SlugField(primary_key=True, max_length=80)
    name = models.CharField(max_length=120)
    sentence = models.CharField(max_length=300, blank=True)
    path = models.CharField(max_length=1000)
    fingerprint = models.CharField(max_length=64)
    manifest = models.JSONField()
    examples = models.JSONField(default=list)
    # Nobody's is everybody's.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="checkpoints"
    )
    visibility = models.CharField(max_length=7, choices=Visibility, default=Visibility.SITE)
    licence = models.TextField(blank=True)
    # Whether somebody sent it here: its files are the library's, and what they hold is a stranger's.
    is_brought = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True)
    # Taken out of the library, but runs still read its files.
    removed_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_missing(self) -> bool:
        """Whether the files are gone. Reads the disk."""
        return not Path(self.path).is_dir()

    @property
    def folder(self) -> str:
        """What anybody may know of where it lies: all of it within the project's folder, else the last name alone."""
        path = Path(self.path)
        return str(path.relative_to(settings.BASE_DIR)) if path.is_relative_to(settings.BASE_DIR) else path.name

    @property
    def source(self) -> Source:
        return Source(model=self.id, path=self.path, limited=self.is_brought)

    @property
    def encodes(self) -> bool:
        """Whether it reads a source and writes a target."""
        return bool(self.manifest["architecture"] == "encoder-decoder")

    @property
    def sees(self) -> bool:
        """Whether it reads pictures."""
        return bool(self.manifest["architecture"] == "vision")

    @property
    def takes_pairs(self) -> bool:
        """Whether it reads two texts as a pair."""
        return bool(self.manifest.get("pairs", False))

    @property
    def longest_text(self) -> int | None:
        """No text of more characters than this can fit; a shorter one still may not. None where nothing is known."""
        longest_token = self.manifest.get("longest_token")
        return longest_token * self.manifest["longest"] if longest_token else None
