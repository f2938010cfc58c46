"""A class of tests: Tess teaches Pip and Quin; Dora teaches Eve, and Fay is in no class."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.test import Client
from django.utils import timezone

from tests.webapp.people import client_of, person
from webapp.accounts.models import Person
from webapp.classes import joining, leading
from webapp.classes.models import SchoolClass

ROLES = {"tess": "teacher", "dora": "teacher", "pip": "member", "quin": "member", "eve": "member", "fay": "member"}


@dataclass
class School:
    people: dict[str, Person]
    clients: dict[str, Client]
    own: SchoolClass
    other: SchoolClass

    @property
    def api(self) -> str:
        return f"/api/v1/classes/{self.own.id}"


def school() -> School:
    """The one called "nobody" has not signed in."""
    people = {name: person(name, role, None) for name, role in ROLES.items()}
    own, other = leading.make(people["tess"], "7b physics"), leading.make(people["dora"], "Another")
    for name in ("pip", "quin"):
        joining.join(own, people[name])
    joining.join(other, people["eve"])
    clients = {name: client_of(somebody) for name, somebody in people.items()}
    return School(people, {**clients, "nobody": client_of(None)}, own, other)


def spent_links(of: SchoolClass) -> dict[str, str]:
    """Links that lead nowhere, each for a reason of its own; `of` has a good one afterwards."""
    assert of.link is not None
    links = {"made up": "a" * 26, "cut short": of.link[:-1], "renewed": of.link}
    joining.renew(of, 7)
    over = SchoolClass.objects.create(name="Over", teacher=of.teacher, link_until=timezone.now() - timedelta(seconds=1))
    taken_back = leading.make(of.teacher, "Taken back")
    links |= {"over": str(over.link), "taken back": str(taken_back.link)}
    joining.take_back(taken_back)
    return links
