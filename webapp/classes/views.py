"""The pages of classes: one's own, one of them with its people, and the one that a link leads to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from webapp.accounts.models import Person
from webapp.accounts.ownership import may_teach, person_of
from webapp.accounts.visitors import name_of
from webapp.classes import joining, leading
from webapp.classes.access import classes_of, find_class, leads, owns
from webapp.classes.models import SchoolClass
from webapp.runs.cancel import cancel

METHODS = ["GET", "HEAD", "POST"]


@require_http_methods(METHODS)
@login_required
def classes(request: HttpRequest) -> HttpResponse:
    """POST makes one."""
    person = _signed_in(request)
    if request.method != "POST":
        return _list(request, person)
    name = request.POST.get("name", "").strip()[:80]
    if not may_teach(person):
        return _list(request, person, "teachers", 403)
    if not name:
        return _list(request, person, "name", 422)
    try:
        return redirect(leading.make(person, name).page)
    except leading.TooManyClassesError:
        return _list(request, person, "many", 409)


@require_http_methods(METHODS)
@login_required
def school_class(request: HttpRequest, class_id: str) -> HttpResponse:
    """POST does what its `do` says; a pupil may leave, the rest is the teacher's."""
    person = _signed_in(request)
    found = find_class(person, class_id)
    if found is None:
        return render(request, "classes/gone.html", status=404)
    if request.method != "POST":
        return _class(request, found, person)
    asked = request.POST.get("do", "")
    if asked == "leave":
        joining.leave(found, person.pk)
        return redirect("classes")
    if asked not in ACTIONS:
        return _class(request, found, person, 422)
    if not (owns if asked == "delete" else leads)(person, found):
        return _class(request, found, person, 403)
    ACTIONS[asked](found, request)
    return redirect("classes" if asked == "delete" else found.page)


@require_http_methods(METHODS)
def join(request: HttpRequest, link: str) -> HttpResponse:
    """GET says whose class it is and what joining means; POST joins."""
    person = person_of(request)
    try:
        found = joining.class_behind(link, person, name_of(request))
    except joining.TooManyTriesError as error:
        response = render(request, "classes/join.html", {"problem": "wait"}, status=429)
        response["Retry-After"] = str(error.retry_after_s)
        return response
    if found is None:
        return render(request, "classes/gone.html", status=404)
    told = {"school_class": found, "link": link, "may_leave": person is not None and _is_pupil(found, person)}
    if request.method != "POST" or person is None:
        return render(request, "classes/join.html", told)
    try:
        joining.join(found, person)
    except joining.ClassFullError:
        return render(request, "classes/join.html", {**told, "problem": "full"}, status=409)
    return redirect(found.page)


def _renew(found: SchoolClass, request: HttpRequest) -> None:
    days = request.POST.get("days", "")
    joining.renew(found, next((each for each in joining.DAYS if str(each) == days), max(joining.DAYS)))


def _take_back(found: SchoolClass, request: HttpRequest) -> None:
    joining.take_back(found)


def _remove(found: SchoolClass, request: HttpRequest) -> None:
    person = request.POST.get("person", "")
    if person.isascii() and person.isdigit() and len(person) < 16:
        joining.leave(found, int(person))


def _stop(found: SchoolClass, request: HttpRequest) -> None:
    if run := leading.find_job(found, request.POST.get("run", "")):
        cancel(run)


def _delete(found: SchoolClass, request: HttpRequest) -> None:
    found.delete()


ACTIONS: dict[str, Callable[[SchoolClass, HttpRequest], None]] = {
    "renew": _renew,
    "take_back": _take_back,
    "remove": _remove,
    "stop": _stop,
    "delete": _delete,
}


def _signed_in(request: HttpRequest) -> Person:
    person = person_of(request)
    assert person is not None, "login_required stands before"
    return person


def _is_pupil(found: SchoolClass, person: Person) -> bool:
    return found.memberships.filter(person=person).exists()


def _list(request: HttpRequest, person: Person, problem: str = "", status: int = 200) -> HttpResponse:
    own = list(classes_of(person))
    told = {
        "taught": [each for each in own if each.teacher_id == person.pk],
        "joined": [each for each in own if each.teacher_id != person.pk],
        "may_teach": may_teach(person),
        "problem": problem,
    }
    return render(request, "classes/list.html", told, status=status)


def _class(request: HttpRequest, found: SchoolClass, person: Person, status: int = 200) -> HttpResponse:
    told: dict[str, Any] = {
        "school_class": found,
        "leads": leads(person, found),
        "may_delete": owns(person, found),
        "may_leave": _is_pupil(found, person),
    }
    if told["leads"]:
        told |= {"pupils": leading.pupils_of(found), "jobs": leading.jobs_of(found), "days": joining.DAYS}
        told["address"] = found.joining and request.build_absolute_uri(found.joining)
    return render(request, "classes/class.html", told, status=status)
