"""`manage.py add_model PATH`: a checkpoint folder of one's own, ready to be chosen on the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webapp.checkpoints.register import RefusedError, register


class Command(BaseCommand):
    help = "Add a checkpoint folder in Hugging Face's layout to the model library. The files stay where they are."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="folder with config.json, model.safetensors and tokenizer.json")
        parser.add_argument("--name", help="how the page calls it (default: the folder's name)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            checkpoint, read = register(options["path"], {"name": options["name"]} if options["name"] else None)
        except RefusedError as refused:
            raise CommandError(str(refused), returncode=2) from None
        manifest = checkpoint.manifest
        self.stdout.write(
            f"{'Added' if read else 'Already there:'} {checkpoint.id}: {manifest['family']}, "
            f"{manifest['layers']} layers of {manifest['heads']} heads, {manifest['parameters']:,} parameters."
        )
