"""Who may see, use and change a model. A stranger is told of a private one what is told of one that is not there."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q, QuerySet

from webapp.accounts import ownership
from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint, Visibility


def usable_by(person: Person | None) -> QuerySet[Checkpoint]:
    """What this person may name by its id. Nobody's is everybody's."""
    open_ = ~Q(visibility=Visibility.PRIVATE) | Q(owner=None)
    return Checkpoint.objects.filter(open_ if person is None else open_ | Q(owner=person), removed_at=None)


def listed_for(person: Person | None) -> QuerySet[Checkpoint]:
    """What stands in this person's library: their own, and what everybody may see."""
    listed = Q(visibility=Visibility.SITE) | Q(owner=None)
    return Checkpoint.objects.filter(listed if person is None else listed | Q(owner=person), removed_at=None)


def find_usable(id_: str, person: Person | None) -> Checkpoint | None:
    return usable_by(person).filter(pk=id_).first()


def may_change(checkpoint: Checkpoint, person: Person | None) -> bool:
    """Its owner may; anybody may where it is nobody's. What comes with Headlight stays as it is."""
    return not checkpoint.path.startswith(f"{settings.ZOO}/") and ownership.may_change(person, checkpoint)
