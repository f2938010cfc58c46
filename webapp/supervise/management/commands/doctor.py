"""`manage.py doctor`: what is well, what is not, and what to do about it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from webapp.supervise.doctor import findings


class Command(BaseCommand):
    help = "Look at database, storage, browser code, broker, workers and kernels, and say what to fix. Changes nothing."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Ends with 1 where something is broken."""
        broken = 0
        for finding in findings():
            self.stdout.write(f"{finding.state:<8} {finding.part:<13} {finding.words}")
            broken += finding.state == "broken"
        if broken:
            raise SystemExit(1)
