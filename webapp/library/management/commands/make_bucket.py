"""`manage.py make_bucket`: the bucket that HEADLIGHT_S3_BUCKET names, made where it is missing."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from webapp.library.bucket import FAULTS, WHAT_TO_CHECK, bucket


class Command(BaseCommand):
    help = "Make the bucket for the files of models, unless it is there or none is set."

    def handle(self, *args: Any, **options: Any) -> None:
        found = bucket()
        if found is None:
            self.stdout.write("No bucket is set (HEADLIGHT_S3_BUCKET): the files of models lie on the disk alone.")
            return
        try:
            was_there = found.is_there()
            if not was_there:
                found.make()
        except FAULTS as error:
            raise CommandError(
                f"The bucket {found.name} can be neither found nor made: {error}. {WHAT_TO_CHECK}"
            ) from error
        self.stdout.write(f"{found.name}: {'ready' if was_there else 'made'}")
