"""Classes over HTTP: make one, join by its link, see what its people use, stop a job, remove somebody."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from webapp.accounts.models import Person
from webapp.accounts.ownership import may_teach, person_of
from webapp.accounts.visitors import name_of
from webapp.api.asking import REFUSALS
from webapp.api.class_schemas import (
    ClassAnswer,
    ClassesAnswer,
    ClassRequest,
    JobsAnswer,
    JoinRequest,
    LinkRequest,
    PupilsAnswer,
)
from webapp.api.errors import ApiError
from webapp.api.pages import Page, page_of
from webapp.classes import joining, leading
from webapp.classes.access import classes_of, find_class, leads, owns
from webapp.classes.models import SchoolClass
from webapp.runs.cancel import cancel

router = Router(tags=["classes"])


@router.get("/classes", response={200: ClassesAnswer, **REFUSALS}, summary="The classes one teaches or is in")
def listed(request: HttpRequest, page: Query[Page]) -> dict[str, Any]:
    """The newest first."""
    person = _signed_in(request)
    found, following = page_of(classes_of(person), page)
    return {"classes": [_told(each, person) for each in found], "next": following}


@router.post("/classes", response={201: ClassAnswer, **REFUSALS}, summary="Make a class")
def create(request: HttpRequest, payload: ClassRequest) -> Status[dict[str, Any]]:
    """Teachers and admins may. Its link is good for 30 days."""
    person = _signed_in(request)
    if not may_teach(person):
        raise ApiError(403, "not_a_teacher", "Classes are made by teachers; an admin gives that role.")
    try:
        made = leading.make(person, payload.name)
    except leading.TooManyClassesError:
        most = leading.MOST_CLASSES
        raise ApiError(409, "too_many_classes", f"You have {most} classes. Delete one first.", limit=most) from None
    return Status(201, _told(made, person))


# Before the classes, one of which would else be called "join".
@router.post("/classes/join", response={200: ClassAnswer, **REFUSALS}, summary="Join a class by its link")
def join(request: HttpRequest, payload: JoinRequest) -> dict[str, Any]:
    """The teacher then sees one's email and how much one uses, and may stop one's jobs."""
    person = _signed_in(request)
    try:
        found = joining.class_behind(payload.link, person, name_of(request))
        if found is None:
            raise ApiError(
                404,
                "unknown_link",
                "This link leads nowhere. It may be over, renewed, or cut short. Ask your teacher for the new one.",
                field="link",
            )
        joining.join(found, person)
    except joining.TooManyTriesError as error:
        raise ApiError(
            429, "too_many_tries", "Links were wrong too often. Wait some minutes.", retry_after_s=error.retry_after_s
        ) from None
    except joining.ClassFullError:
        most = joining.MOST_PEOPLE
        raise ApiError(409, "class_full", f"This class has {most} people, as many as it may.", limit=most) from None
    return _told(found, person)


@router.get("/classes/{class_id}", response={200: ClassAnswer, **REFUSALS}, summary="A class")
def read(request: HttpRequest, class_id: str) -> dict[str, Any]:
    person = _signed_in(request)
    return _told(_found(person, class_id), person)


@router.delete("/classes/{class_id}", response={204: None, **REFUSALS}, summary="Delete a class")
def delete(request: HttpRequest, class_id: str) -> Status[None]:
    """What its people made stays theirs. Shares that are for it open for nobody else any more."""
    person = _signed_in(request)
    found = _found(person, class_id)
    if not owns(person, found):
        raise _not_hers()
    found.delete()
    return Status(204, None)


@router.post("/classes/{class_id}/leave", response={204: None, **REFUSALS}, summary="Leave a class")
def leave(request: HttpRequest, class_id: str) -> Status[None]:
    person = _signed_in(request)
    if not joining.leave(_found(person, class_id), person.pk):
        raise ApiError(409, "not_in_it", "You teach this class. Delete it, if it is over.", field="class_id")
    return Status(204, None)


@router.post("/classes/{class_id}/link", response={200: ClassAnswer, **REFUSALS}, summary="Renew a class's link")
def renew(request: HttpRequest, class_id: str, payload: LinkRequest) -> dict[str, Any]:
    """The link before leads nowhere from now on."""
    found = _led(request, class_id)
    joining.renew(found, payload.days)
    return _told(found, person_of(request))


@router.delete("/classes/{class_id}/link", response={204: None, **REFUSALS}, summary="Take a class's link back")
def take_back(request: HttpRequest, class_id: str) -> Status[None]:
    """Nobody joins until it is renewed."""
    joining.take_back(_led(request, class_id))
    return Status(204, None)


@router.get(
    "/classes/{class_id}/people", response={200: PupilsAnswer, **REFUSALS}, summary="A class's people and what they use"
)
def people(request: HttpRequest, class_id: str) -> dict[str, Any]:
    """All of them, in the order in which they joined."""
    return {"people": leading.pupils_of(_led(request, class_id))}


@router.delete(
    "/classes/{class_id}/people/{int:person_id}",
    response={204: None, **REFUSALS},
    summary="Remove somebody from a class",
)
def remove(request: HttpRequest, class_id: str, person_id: int) -> Status[None]:
    """Whoever has the link can come back; renew it too."""
    if not joining.leave(_led(request, class_id), person_id):
        raise ApiError(404, "unknown_person", "Nobody with this id is in this class.", field="person_id")
    return Status(204, None)


@router.get("/classes/{class_id}/jobs", response={200: JobsAnswer, **REFUSALS}, summary="A class's jobs of now")
def jobs(request: HttpRequest, class_id: str) -> dict[str, Any]:
    """Those that run, then those that wait, the first first."""
    found = leading.jobs_of(_led(request, class_id))
    told = ("id", "kind", "state", "created_at", "started_at")
    rows = [{name: getattr(run, name) for name in told} for run in found]
    return {
        "jobs": [
            {**row, "person": run.owner_id, "model": run.checkpoint_id} for row, run in zip(rows, found, strict=True)
        ]
    }


@router.post(
    "/classes/{class_id}/jobs/{run_id}/cancel", response={204: None, **REFUSALS}, summary="Stop a job of a member's"
)
def stop(request: HttpRequest, class_id: str, run_id: str) -> Status[None]:
    """What it found until then is kept, and its owner sees that it was stopped."""
    run = leading.find_job(_led(request, class_id), run_id)
    if run is None or not cancel(run):
        raise ApiError(
            404, "unknown_job", "No job of this class with this id waits or runs. It may have ended.", field="run_id"
        )
    return Status(204, None)


def _signed_in(request: HttpRequest) -> Person:
    person = person_of(request)
    if person is None:
        raise ApiError(401, "sign_in_needed", "Classes are for people who sign in.")
    return person


def _found(person: Person, class_id: str) -> SchoolClass:
    """Raises: ApiError, the same where there is no such class and where one is not in it."""
    found = find_class(person, class_id)
    if found is None:
        raise ApiError(404, "unknown_class", "You are in no class with this id.", field="class_id")
    return found


def _led(request: HttpRequest, class_id: str) -> SchoolClass:
    """Raises: ApiError where whoever asks is not its teacher."""
    person = _signed_in(request)
    found = _found(person, class_id)
    if not leads(person, found):
        raise _not_hers()
    return found


def _not_hers() -> ApiError:
    return ApiError(403, "not_the_teacher", "That is for the teacher of this class.", field="class_id")


def _told(found: SchoolClass, person: Person | None) -> dict[str, Any]:
    is_teacher = leads(person, found)
    return {
        "id": found.id,
        "name": found.name,
        "page": found.page,
        "teacher": found.teacher.email,
        "leads": is_teacher,
        "joining": found.joining if is_teacher else None,
        "joining_until": found.link_until if is_teacher and found.is_open else None,
        "created_at": found.created_at,
    }
