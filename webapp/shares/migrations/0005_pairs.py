"""A share keeps a weight's making of each head in view, where it kept one."""

from typing import Any

from django.db import migrations


def as_lists(apps: Any, _: Any) -> None:
    for share in apps.get_model("shares", "ShareLink").objects.filter(pairs__isnull=False):
        share.pairs = [share.pairs]
        share.save(update_fields=["pairs"])


def first_ones(apps: Any, _: Any) -> None:
    for share in apps.get_model("shares", "ShareLink").objects.filter(pairs__isnull=False):
        share.pairs = share.pairs[0] if share.pairs else None
        share.save(update_fields=["pairs"])


class Migration(migrations.Migration):
    dependencies = [
        ("shares", "0004_classes"),
    ]

    operations = [
        migrations.RenameField("sharelink", "pair", "pairs"),
        migrations.RunPython(as_lists, first_ones),
    ]
