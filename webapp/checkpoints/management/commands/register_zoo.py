"""`manage.py register_zoo`: the models that come with the project, and the run that the first page opens on."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connection

from webapp.checkpoints.register import RefusedError, register
from webapp.runs.submit import feature


class Command(BaseCommand):
    help = "Put the project's own models into the library and queue the run that the first page shows."

    def handle(self, *args: Any, **options: Any) -> None:
        folders = sorted(path.parent for path in settings.ZOO.glob("*/card.json"))
        with ThreadPoolExecutor() as pool:
            for line in pool.map(_register, folders):
                self.stdout.write(line)
        feature(settings.FEATURED_MODEL)


def _register(folder: Path) -> str:
    try:
        checkpoint, read = register(folder, json.loads((folder / "card.json").read_text()))
    except RefusedError as refused:
        return f"{folder.name} is left out: {refused}"
    finally:
        connection.close()
    return f"{checkpoint.id}: {'added to the library' if read else 'ready'}"
