"""Who teaches, who is in which class. A class that one has nothing to do with is as one that never was."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from webapp.accounts.models import Person
from webapp.accounts.ownership import may_teach
from webapp.classes.models import Membership, SchoolClass


def classes_of(person: Person | None) -> QuerySet[SchoolClass]:
    """Those that somebody teaches or is in, the newest first."""
    if person is None:
        return SchoolClass.objects.none()
    joined = Membership.objects.filter(person=person).values("school_class")
    return SchoolClass.objects.select_related("teacher").filter(Q(teacher=person) | Q(pk__in=joined))


def find_class(person: Person | None, class_id: str) -> SchoolClass | None:
    return classes_of(person).filter(pk=class_id).first()


def owns(person: Person | None, school_class: SchoolClass) -> bool:
    """Whether it is hers: she may end it, even after she lost the role."""
    return person is not None and school_class.teacher_id == person.pk


def leads(person: Person | None, school_class: SchoolClass) -> bool:
    """Whether it is hers, and she still a teacher: whoever lost the role leads nobody."""
    return may_teach(person) and owns(person, school_class)


def is_in(person: Person | None, class_id: str | None) -> bool:
    """Its people and its teacher. Reads the database."""
    return class_id is not None and classes_of(person).filter(pk=class_id).exists()
