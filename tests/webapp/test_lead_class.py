"""A teacher makes a class, sees what its people use, stops a job, removes somebody, renews the link, deletes it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from tests.webapp.classes import School, school
from webapp.classes import leading
from webapp.classes.models import Membership, SchoolClass
from webapp.runs.models import Run

pytestmark = pytest.mark.django_db

OTHERS = {"pip": 403, "eve": 404, "dora": 404, "fay": 404, "nobody": 401}
"""A pupil of hers; another class's pupil and its teacher; one of no class; whoever has not signed in."""


@pytest.fixture
def at_school() -> School:
    return school()


@pytest.fixture
def job(at_school: School, broker: Any) -> Run:
    """Pip's, which waits."""
    return Run.objects.create(text="a secret thought", owner=at_school.people["pip"])


def ask(client: Client, method: str, path: str, **body: Any) -> Any:
    return client.generic(method, path, "" if method == "GET" else json.dumps(body), "application/json")


def do(client: Client, own: SchoolClass, action: str, **more: Any) -> Any:
    return client.post(own.page, {"do": action, **more})


def test_teacher_makes_a_class_with_a_link(at_school: School) -> None:
    made = at_school.clients["tess"].post("/classes", {"name": "  8c  "})
    own = SchoolClass.objects.get(name="8c")
    assert (made.status_code, made["Location"], own.teacher) == (302, own.page, at_school.people["tess"])
    assert f"http://testserver/join/{own.link}" in at_school.clients["tess"].get(own.page).content.decode()
    answer = ask(at_school.clients["tess"], "POST", "/api/v1/classes", name="9a")
    told = answer.json()
    assert (answer.status_code, told["name"], told["teacher"], told["leads"]) == (201, "9a", "tess@example.org", True)
    assert told["joining"] == f"/join/{SchoolClass.objects.get(name='9a').link}"


def test_class_that_is_made_twice_under_one_key_is_made_once(at_school: School) -> None:
    client = at_school.clients["tess"]
    headers = {"idempotency-key": "once"}
    ids = {
        client.post("/api/v1/classes", {"name": "9a"}, "application/json", headers=headers).json()["id"] for _ in "ab"
    }
    assert len(ids) == 1 == SchoolClass.objects.filter(name="9a").count()


def test_members_make_no_class(at_school: School) -> None:
    assert at_school.clients["pip"].post("/classes", {"name": "Mine"}).status_code == 403
    refused = ask(at_school.clients["pip"], "POST", "/api/v1/classes", name="Mine")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "not_a_teacher")
    assert "A new class" not in at_school.clients["pip"].get("/classes").content.decode()
    assert not SchoolClass.objects.filter(name="Mine").exists()


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, 5, None])
def test_class_without_a_name_is_not_made(at_school: School, name: Any) -> None:
    assert ask(at_school.clients["tess"], "POST", "/api/v1/classes", name=name).status_code == 422
    assert SchoolClass.objects.count() == 2
    if name is not None and not str(name).strip():
        assert at_school.clients["tess"].post("/classes", {"name": name}).status_code == 422


def test_one_teacher_has_so_many_classes_at_most(at_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leading, "MOST_CLASSES", 1)
    assert ask(at_school.clients["tess"], "POST", "/api/v1/classes", name="8c").status_code == 409
    assert at_school.clients["tess"].post("/classes", {"name": "8c"}).status_code == 409


def test_teacher_sees_what_her_people_use_and_nothing_of_what_they_write(at_school: School, job: Run) -> None:
    now, pip = timezone.now(), at_school.people["pip"]
    training = Run.objects.create(kind="train", plan={"text": "a secret text"}, owner=pip, state="running")
    Run.objects.filter(pk=training.pk).update(started_at=now - timedelta(minutes=30))
    old = Run.objects.create(text="old", owner=pip, state="finished")
    Run.objects.filter(pk=old.pk).update(created_at=now - timedelta(hours=25))
    Run.objects.create(text="not hers", owner=at_school.people["eve"])
    told = ask(at_school.clients["tess"], "GET", f"{at_school.api}/people").json()["people"]
    assert [pupil["email"] for pupil in told] == ["pip@example.org", "quin@example.org"]
    of_pip, of_quin = told
    assert [of_pip[name] for name in ("runs_today", "running", "waiting")] == [2, 1, 1]
    assert of_pip["training_minutes"] == pytest.approx(30, abs=0.2)
    assert [of_quin[name] for name in ("runs_today", "running", "waiting", "training_minutes")] == [0, 0, 0, 0]
    jobs = ask(at_school.clients["tess"], "GET", f"{at_school.api}/jobs")
    assert [(each["id"], each["person"], each["state"]) for each in jobs.json()["jobs"]] == [
        (training.id, pip.pk, "running"),
        (job.id, pip.pk, "queued"),
    ]
    page = at_school.clients["tess"].get(at_school.own.page).content.decode()
    assert "pip@example.org" in page and "eve@example.org" not in page
    assert "secret" not in page and "secret" not in jobs.content.decode()
    assert at_school.clients["tess"].get(f"/api/v1/runs/{job.id}").status_code == 404


@pytest.mark.parametrize("by_page", [True, False])
def test_teacher_stops_a_members_job(at_school: School, job: Run, by_page: bool) -> None:
    client = at_school.clients["tess"]
    if by_page:
        assert do(client, at_school.own, "stop", run=job.id)["Location"] == at_school.own.page
    else:
        assert ask(client, "POST", f"{at_school.api}/jobs/{job.id}/cancel").status_code == 204
    assert Run.objects.get(pk=job.pk).state == "cancelled"
    again = ask(client, "POST", f"{at_school.api}/jobs/{job.id}/cancel")
    assert (again.status_code, again.json()["error"]["code"]) == (404, "unknown_job")


def test_teacher_stops_nobodys_job_but_her_peoples(at_school: School, job: Run) -> None:
    foreign = [Run.objects.create(text="a", owner=at_school.people[name]) for name in ("eve", "fay", "dora")]
    foreign.append(Run.objects.create(text="a"))
    for run in foreign:
        assert ask(at_school.clients["tess"], "POST", f"{at_school.api}/jobs/{run.id}/cancel").status_code == 404
        do(at_school.clients["tess"], at_school.own, "stop", run=run.id)
    Membership.objects.filter(person=at_school.people["pip"]).delete()
    assert ask(at_school.clients["tess"], "POST", f"{at_school.api}/jobs/{job.id}/cancel").status_code == 404
    assert {run.state for run in Run.objects.all()} == {"queued"}


@pytest.mark.parametrize("by_page", [True, False])
def test_teacher_removes_somebody_who_then_sees_no_more_of_the_class(at_school: School, by_page: bool) -> None:
    pip = at_school.people["pip"]
    if by_page:
        do(at_school.clients["tess"], at_school.own, "remove", person=pip.pk)
    else:
        assert ask(at_school.clients["tess"], "DELETE", f"{at_school.api}/people/{pip.pk}").status_code == 204
    assert [each.person.username for each in at_school.own.memberships.all()] == ["quin"]
    assert at_school.clients["pip"].get(at_school.own.page).status_code == 404
    assert ask(at_school.clients["pip"], "GET", at_school.api).status_code == 404
    assert ask(at_school.clients["pip"], "GET", "/api/v1/classes").json()["classes"] == []


@pytest.mark.parametrize("somebody", ["eve", "nobody at all", "a number that is too large"])
def test_whoever_is_not_in_the_class_is_not_removed_from_it(at_school: School, somebody: str) -> None:
    known = {"eve": at_school.people["eve"].pk, "nobody at all": 999_999}
    person = known.get(somebody, 10**30)
    answer = ask(at_school.clients["tess"], "DELETE", f"{at_school.api}/people/{person}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_person")
    assert do(at_school.clients["tess"], at_school.own, "remove", person=person).status_code == 302
    assert Membership.objects.count() == 3


@pytest.mark.parametrize("by_page", [True, False])
def test_link_is_renewed_and_taken_back(at_school: School, by_page: bool) -> None:
    client, before = at_school.clients["tess"], at_school.own.link
    if by_page:
        do(client, at_school.own, "renew", days="1")
    else:
        told = ask(client, "POST", f"{at_school.api}/link", days=1).json()
        assert told["joining"] != f"/join/{before}"
    at_school.own.refresh_from_db()
    assert at_school.own.link is not None and at_school.own.link != before
    assert at_school.own.link_until is not None
    assert at_school.own.link_until - timezone.now() <= timedelta(days=1)
    if by_page:
        do(client, at_school.own, "take_back")
    else:
        assert ask(client, "DELETE", f"{at_school.api}/link").status_code == 204
    at_school.own.refresh_from_db()
    assert (at_school.own.link, at_school.own.joining) == (None, None)
    assert "Nobody can join now." in client.get(at_school.own.page).content.decode()


@pytest.mark.parametrize("days", [0, 2, 365, "7", None])
def test_link_is_good_for_a_day_a_week_or_a_month(at_school: School, days: Any) -> None:
    assert ask(at_school.clients["tess"], "POST", f"{at_school.api}/link", days=days).status_code == 422


@pytest.mark.parametrize("by_page", [True, False])
def test_class_is_deleted_and_its_people_stay(at_school: School, job: Run, by_page: bool) -> None:
    if by_page:
        assert do(at_school.clients["tess"], at_school.own, "delete")["Location"] == "/classes"
    else:
        assert ask(at_school.clients["tess"], "DELETE", at_school.api).status_code == 204
    assert list(SchoolClass.objects.all()) == [at_school.other]
    assert Run.objects.get(pk=job.pk).owner == at_school.people["pip"]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/people"),
        ("GET", "/jobs"),
        ("POST", "/jobs/{job}/cancel"),
        ("DELETE", "/people/{quin}"),
        ("POST", "/link"),
        ("DELETE", "/link"),
        ("DELETE", ""),
    ],
)
def test_what_is_the_teachers_nobody_else_does_by_a_script(
    at_school: School, job: Run, name: str, method: str, path: str
) -> None:
    full = at_school.api + path.format(job=job.id, quin=at_school.people["quin"].pk)
    assert ask(at_school.clients[name], method, full).status_code == OTHERS[name]
    _nothing_changed(at_school, job)


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("action", ["stop", "remove", "renew", "take_back", "delete"])
def test_what_is_the_teachers_nobody_else_does_on_the_page(at_school: School, job: Run, name: str, action: str) -> None:
    answer = do(at_school.clients[name], at_school.own, action, run=job.id, person=at_school.people["quin"].pk)
    assert answer.status_code == {401: 302}.get(OTHERS[name], OTHERS[name])
    _nothing_changed(at_school, job)


def test_whoever_lost_the_role_leads_nobody(at_school: School, job: Run) -> None:
    at_school.people["tess"].role = "member"
    at_school.people["tess"].save()
    assert ask(at_school.clients["tess"], "GET", f"{at_school.api}/people").status_code == 403
    assert do(at_school.clients["tess"], at_school.own, "stop", run=job.id).status_code == 403
    assert "pip@example.org" not in at_school.clients["tess"].get(at_school.own.page).content.decode()
    _nothing_changed(at_school, job)


@pytest.mark.parametrize("by", ["page", "api"])
def test_whoever_lost_the_role_can_still_end_her_class(at_school: School, by: str) -> None:
    at_school.people["tess"].role = "member"
    at_school.people["tess"].save()
    client = at_school.clients["tess"]
    page = client.get(at_school.own.page).content.decode()
    assert 'value="delete"' in page and 'value="renew"' not in page and "secret" not in page
    if by == "page":
        assert do(client, at_school.own, "delete")["Location"] == "/classes"
    else:
        assert ask(client, "DELETE", at_school.api).status_code == 204
    assert not SchoolClass.objects.filter(pk=at_school.own.pk).exists()


def test_page_does_nothing_without_its_token_or_by_another_method(at_school: School) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(at_school.people["tess"])
    assert do(client, at_school.own, "delete").status_code == 403
    assert at_school.clients["tess"].get(f"{at_school.own.page}?do=delete").status_code == 200
    assert at_school.clients["tess"].delete(at_school.own.page).status_code == 405
    assert do(at_school.clients["tess"], at_school.own, "explode").status_code == 422
    assert SchoolClass.objects.count() == 2


def _nothing_changed(at_school: School, job: Run) -> None:
    before = at_school.own.link
    at_school.own.refresh_from_db()
    assert (at_school.own.link, at_school.own.memberships.count()) == (before, 2)
    assert Run.objects.get(pk=job.pk).state == "queued"
