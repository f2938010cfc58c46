"""A pupil sees which class she is in, and leaves it; her account and her data know of it."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from tests.webapp.classes import School, school
from tests.webapp.people import PASSWORD, bearer, client_of
from webapp.classes import joining
from webapp.classes.models import Membership, SchoolClass

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_school() -> School:
    return school()


def listed(at_school: School, name: str) -> Any:
    return at_school.clients[name].get("/api/v1/classes").json()["classes"]


def test_pupil_sees_her_class_and_nobody_who_is_in_it(at_school: School) -> None:
    [told] = listed(at_school, "pip")
    assert (told["name"], told["teacher"], told["leads"]) == ("7b physics", "tess@example.org", False)
    assert (told["joining"], told["joining_until"]) == (None, None)
    pages = [at_school.clients["pip"].get(path).content.decode() for path in ("/classes", at_school.own.page)]
    for page in pages:
        assert "7b physics" in page and "tess@example.org" in page
        assert "quin@example.org" not in page and str(at_school.own.link) not in page
    assert 'value="leave"' in pages[1] and 'value="delete"' not in pages[1]


def test_classes_are_listed_in_pages(at_school: School) -> None:
    joining.join(at_school.other, at_school.people["pip"])
    first = at_school.clients["pip"].get("/api/v1/classes?limit=1").json()
    rest = at_school.clients["pip"].get(f"/api/v1/classes?limit=1&cursor={first['next']}").json()
    assert [told["name"] for page in (first, rest) for told in page["classes"]] == ["Another", "7b physics"]
    assert rest["next"] is None


@pytest.mark.parametrize("name", ["eve", "dora", "fay"])
def test_class_of_others_is_as_one_that_never_was(at_school: School, name: str) -> None:
    client = at_school.clients[name]
    for path in (at_school.own.page, at_school.api):
        answers = [client.get(path), client.get(path.replace(at_school.own.id, "a" * 26))]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].content == answers[1].content
    assert "7b physics" not in str(listed(at_school, name))


@pytest.mark.parametrize("by_page", [True, False])
def test_pupil_leaves(at_school: School, by_page: bool) -> None:
    client = at_school.clients["pip"]
    if by_page:
        assert client.post(at_school.own.page, {"do": "leave"})["Location"] == "/classes"
    else:
        assert client.post(f"{at_school.api}/leave").status_code == 204
    assert listed(at_school, "pip") == []
    assert client.post(f"{at_school.api}/leave").status_code == 404
    assert [each.person.username for each in at_school.own.memberships.all()] == ["quin"]


def test_teacher_does_not_leave_her_class(at_school: School) -> None:
    answer = at_school.clients["tess"].post(f"{at_school.api}/leave")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_in_it")
    assert at_school.clients["pip"].get(f"{at_school.api}/leave").status_code == 405


def test_page_has_the_way_to_classes_for_whoever_has_one_or_may_make_one(at_school: School) -> None:
    said = {name: b"data-classes" in client.get("/").content for name, client in at_school.clients.items()}
    assert said == {"tess": True, "dora": True, "pip": True, "quin": True, "eve": True, "fay": False, "nobody": False}
    page = at_school.clients["pip"].get("/").content.decode()
    assert f"{{&quot;id&quot;: &quot;{at_school.own.id}&quot;, &quot;name&quot;: &quot;7b physics&quot;}}" in page
    assert 'href="/classes"' in at_school.clients["pip"].get("/account").content.decode()
    assert 'href="/classes"' not in at_school.clients["fay"].get("/account").content.decode()


@pytest.mark.parametrize(("scopes", "status"), [(["read"], 403), (["share"], 204)])
def test_key_for_reading_leaves_no_class(at_school: School, scopes: list[str], status: int) -> None:
    headers = bearer(at_school.people["pip"], *scopes)
    assert client_of(None).post(f"{at_school.api}/leave", headers=headers).status_code == status


def test_data_of_ones_own_names_the_classes(at_school: School) -> None:
    def rows(name: str) -> dict[str, Any]:
        with zipfile.ZipFile(io.BytesIO(at_school.clients[name].post("/account/export").content)) as file:
            return {part: json.loads(file.read(f"{part}.json")) for part in ("classes_joined", "classes_taught")}

    of_pip, of_tess = rows("pip"), rows("tess")
    assert [(told["id"], told["name"]) for told in of_pip["classes_joined"]] == [(at_school.own.id, "7b physics")]
    assert of_pip["classes_taught"] == of_tess["classes_joined"] == []
    assert [told["name"] for told in of_tess["classes_taught"]] == ["7b physics"]
    assert "link" not in of_tess["classes_taught"][0]


@pytest.mark.parametrize(("name", "left"), [("pip", 2), ("tess", 1)])
def test_deleted_account_takes_its_memberships_and_the_classes_it_taught_along(
    at_school: School, name: str, left: int
) -> None:
    somebody = at_school.people[name]
    somebody.set_password(PASSWORD)
    somebody.save()
    client = client_of(somebody)
    assert client.post("/account/delete", {"password": PASSWORD}).status_code == 200
    assert Membership.objects.count() == left
    assert SchoolClass.objects.count() == (2 if name == "pip" else 1)
