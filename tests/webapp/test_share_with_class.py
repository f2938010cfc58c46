"""Somebody shares a view with her class: its people and its teacher open it, others as if it were not there."""

from __future__ import annotations

from typing import Any

import pytest

from tests.webapp.classes import School, school
from tests.webapp.conftest import store
from webapp import dispatch
from webapp.classes import joining
from webapp.runs.models import Run
from webapp.shares.models import ShareLink

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def at_school(broker: Any, monkeypatch: pytest.MonkeyPatch) -> School:
    monkeypatch.setattr(dispatch, "_send", lambda *_: False)
    return school()


@pytest.fixture
def of_pip(at_school: School, run: Run) -> Run:
    run.owner = at_school.people["pip"]
    run.save()
    store(run, "started", "tokens", "site", "probabilities", "finished")
    return run


def share(at_school: School, run: Run, name: str = "pip", **more: Any) -> Any:
    order = {"run": run.id, "audience": "class", "class_id": at_school.own.id, **more}
    return at_school.clients[name].post("/api/v1/shares", order, content_type="application/json")


def opened(at_school: School, slug: str) -> dict[str, tuple[int, int]]:
    """What the page and the API answer to each."""
    return {
        name: (client.get(f"/s/{slug}").status_code, client.get(f"/api/v1/shares/{slug}").status_code)
        for name, client in at_school.clients.items()
    }


INSIDE, OUTSIDE = (200, 200), (404, 404)


def test_share_for_a_class_opens_for_it_alone(at_school: School, of_pip: Run) -> None:
    told = share(at_school, of_pip).json()
    assert (told["audience"], told["class_id"]) == ("class", at_school.own.id)
    assert opened(at_school, told["slug"]) == {
        **dict.fromkeys(("pip", "quin", "tess"), INSIDE),
        **dict.fromkeys(("eve", "dora", "fay"), OUTSIDE),
        "nobody": (302, 401),
    }
    assert at_school.clients["quin"].get(f"/embed/{told['slug']}").status_code == 404


def test_closed_share_says_the_same_as_one_that_never_was(at_school: School, of_pip: Run) -> None:
    slug = share(at_school, of_pip).json()["slug"]
    for path in ("/s/{}", "/api/v1/shares/{}", "/api/v1/shares/{}/frames"):
        answers = [at_school.clients["eve"].get(path.format(each)) for each in (slug, "A" * 22)]
        assert answers[0].content == answers[1].content


def test_whoever_was_removed_or_left_opens_it_no_more_and_who_joins_does(at_school: School, of_pip: Run) -> None:
    slug = share(at_school, of_pip).json()["slug"]
    joining.leave(at_school.own, at_school.people["quin"].pk)
    joining.join(at_school.own, at_school.people["fay"])
    seen = opened(at_school, slug)
    assert (seen["quin"], seen["fay"]) == (OUTSIDE, INSIDE)


def test_of_a_class_that_was_deleted_the_share_is_its_makers_alone(at_school: School, of_pip: Run) -> None:
    slug = share(at_school, of_pip).json()["slug"]
    at_school.own.delete()
    seen = opened(at_school, slug)
    assert {name for name, answer in seen.items() if answer == INSIDE} == {"pip"}
    assert at_school.clients["pip"].get("/api/v1/shares").json()["shares"][0]["class_id"] is None


def test_teacher_shares_with_her_class_too(at_school: School, of_pip: Run) -> None:
    Run.objects.update(owner=at_school.people["tess"])
    slug = share(at_school, of_pip, "tess").json()["slug"]
    assert opened(at_school, slug)["quin"] == INSIDE


@pytest.mark.parametrize("name", ["eve", "dora", "fay"])
def test_nobody_shares_with_a_class_of_others(at_school: School, of_pip: Run, name: str) -> None:
    Run.objects.update(owner=at_school.people[name])
    refused = share(at_school, of_pip, name)
    made_up = share(at_school, of_pip, name, class_id="a" * 26)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "bad_class")
    assert refused.content == made_up.content and not ShareLink.objects.exists()


@pytest.mark.parametrize(
    "more", [{"class_id": None}, {"audience": "unlisted"}, {"audience": "signed_in"}, {"class_id": ""}]
)
def test_audience_and_class_belong_together(at_school: School, of_pip: Run, more: dict[str, Any]) -> None:
    assert share(at_school, of_pip, **more).json()["error"]["code"] == "bad_class"


def test_password_is_asked_for_within_the_class_too(at_school: School, of_pip: Run) -> None:
    slug = share(at_school, of_pip, password="between us").json()["slug"]
    assert opened(at_school, slug)["quin"] == (200, 401)
    assert opened(at_school, slug)["eve"] == OUTSIDE
