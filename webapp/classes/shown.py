"""For templates: the classes of whoever looks; asked for where a template says so."""

from __future__ import annotations

import json
from collections.abc import Callable

from django.http import HttpRequest

from webapp.accounts.ownership import may_teach, person_of
from webapp.classes.access import classes_of


def classes(request: HttpRequest) -> dict[str, Callable[[], str]]:
    """`own_classes` as JSON, [{"id", "name"}]; empty for whoever neither teaches nor is in a class."""

    def own_classes() -> str:
        person = person_of(request)
        told = [{"id": found.id, "name": found.name} for found in classes_of(person)] if person else []
        return json.dumps(told) if told or may_teach(person) else ""

    return {"own_classes": own_classes}
