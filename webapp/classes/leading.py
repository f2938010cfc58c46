"""What a teacher sees of her class: what each uses, which jobs wait and run. Of texts and maps she sees nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from webapp.accounts.models import Person
from webapp.classes import joining
from webapp.classes.models import SchoolClass
from webapp.runs.models import Run
from webapp.runs.spent import training_minutes

DAY = timedelta(hours=24)
MOST_CLASSES = 50
UNDER_WAY = (Run.State.RUNNING, Run.State.QUEUED)


@dataclass(frozen=True)
class Pupil:
    """One of a class, with the runs of the last 24 hours, the jobs of now, the training of the last 30 days."""

    id: int
    email: str
    joined_at: datetime
    runs_today: int
    running: int
    waiting: int
    training_minutes: float


class TooManyClassesError(Exception):
    """As many as one teacher may have."""


def make(teacher: Person, name: str) -> SchoolClass:
    """With a link that is good for a month. Raises: TooManyClassesError."""
    if teacher.classes_taught.count() >= MOST_CLASSES:
        raise TooManyClassesError
    school_class = SchoolClass(name=name, teacher=teacher)
    school_class.link_until = timezone.now() + timedelta(days=max(joining.DAYS))
    school_class.save()
    return school_class


def pupils_of(school_class: SchoolClass) -> list[Pupil]:
    """In the order in which they joined. Reads the database, however many there are, three times."""
    runs = _runs_of(school_class)
    counted = {
        row["owner"]: row
        for row in runs.values("owner").annotate(
            today=Count("pk", filter=Q(created_at__gt=timezone.now() - DAY)),
            running=Count("pk", filter=Q(state=Run.State.RUNNING)),
            waiting=Count("pk", filter=Q(state=Run.State.QUEUED)),
        )
    }
    spent = training_minutes(runs)
    nothing = {"today": 0, "running": 0, "waiting": 0}
    pupils = []
    for membership in school_class.memberships.select_related("person"):
        person, of_person = membership.person, counted.get(membership.person_id, nothing)
        pupils.append(
            Pupil(
                id=person.pk,
                email=person.email,
                joined_at=membership.joined_at,
                runs_today=of_person["today"],
                running=of_person["running"],
                waiting=of_person["waiting"],
                training_minutes=spent.get(person.pk, 0.0),
            )
        )
    return pupils


def jobs_of(school_class: SchoolClass) -> list[Run]:
    """Those that run, then those that wait, the first first."""
    under_way = _runs_of(school_class).filter(state__in=UNDER_WAY)
    return sorted(
        under_way.select_related("checkpoint", "owner"), key=lambda run: (UNDER_WAY.index(run.state), run.created_at)
    )


def find_job(school_class: SchoolClass, run_id: str) -> Run | None:
    """One of a member's that waits or runs."""
    return _runs_of(school_class).filter(pk=run_id, state__in=UNDER_WAY).first()


def _runs_of(school_class: SchoolClass) -> QuerySet[Run]:
    return Run.objects.filter(owner__in=school_class.memberships.values("person")).order_by()
