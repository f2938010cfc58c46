"""Put a checkpoint folder into the library. What it is, modelcore says, in a process of its own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint, Visibility
from workers.protocol import pictures

DESCRIBE_TIMEOUT_S = 300

# Raised when `modelcore.manifest` tells more: every folder is then described again at the next start.
MANIFEST_VERSION = 6


class RefusedError(Exception):
    """This folder cannot be used; the message says why."""


def register(
    folder: Path,
    card: dict[str, Any] | None = None,
    manifest: dict[str, Any] | None = None,
    owner: Person | None = None,
) -> tuple[Checkpoint, bool]:
    """The library's row for a folder, and whether it was read anew; a folder that has not changed is not.

    A worker that made the folder itself tells its `manifest`; any other is described first. What somebody owns is
    theirs alone until they say otherwise.

    Raises: RefusedError with modelcore's reason.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise RefusedError(f"{folder} is not a folder. Give the folder that holds config.json and the weights.")
    card = card or {}
    fingerprint = _fingerprint(folder)
    known = Checkpoint.objects.filter(path=str(folder)).first()
    if known and known.fingerprint == fingerprint:
        return known, False
    manifest = manifest or describe(folder)
    checkpoint = known or Checkpoint(
        id=card.get("id") or _free_id(folder.name),
        path=str(folder),
        owner=owner,
        visibility=Visibility.PRIVATE if owner else Visibility.SITE,
    )
    checkpoint.name = card.get("name") or folder.name
    checkpoint.sentence = card.get("sentence", "")
    checkpoint.examples = [_with_picture(example, folder) for example in card.get("examples", [])]
    checkpoint.manifest = manifest
    checkpoint.fingerprint = fingerprint
    checkpoint.save()
    return checkpoint, True


def _with_picture(example: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A card names a picture of its folder; what the site knows of it is the id under which it is stored."""
    if "picture" not in example:
        return example
    return {**example, "picture": pictures.store(settings.DATA, (folder / example["picture"]).read_bytes())}


def describe(folder: Path) -> dict[str, Any]:
    """What modelcore makes of a folder. A child process reads the files, so that a bad one harms nobody else."""
    command = [sys.executable, "-m", "modelcore", "describe", str(folder), "--json"]
    try:
        done = subprocess.run(
            command,
            cwd=settings.BASE_DIR,
            capture_output=True,
            text=True,
            timeout=DESCRIBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RefusedError(f"reading the folder took longer than {DESCRIBE_TIMEOUT_S} s, and was stopped") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise RefusedError(said[-1] if said else f"modelcore ended with code {done.returncode} and said nothing")
    manifest: dict[str, Any] = json.loads(done.stdout)
    return manifest


def _fingerprint(folder: Path) -> str:
    """Changes when a file of the folder does, or what a manifest holds: names, sizes and times of change."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    seen = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return hashlib.sha256(json.dumps([MANIFEST_VERSION, seen]).encode()).hexdigest()


def _free_id(name: str) -> str:
    stem = slugify(name)[:60] or "model"
    candidates = (stem if n == 1 else f"{stem}-{n}" for n in range(1, 10_000))
    return next(candidate for candidate in candidates if not Checkpoint.objects.filter(id=candidate).exists())
