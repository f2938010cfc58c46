"""Somebody joins a class by the link on the blackboard: by a press, never by merely opening it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from tests.webapp.classes import School, school, spent_links
from tests.webapp.people import PASSWORD, client_of, person
from webapp.accounts.models import Person
from webapp.classes import joining
from webapp.classes.models import Membership, SchoolClass

pytestmark = pytest.mark.django_db


@pytest.fixture
def at_school() -> School:
    cache.clear()
    return school()


def is_in(own: SchoolClass, name: str) -> bool:
    return own.memberships.filter(person__username=name).exists()


def by_api(client: Client, link: Any) -> Any:
    return client.post("/api/v1/classes/join", {"link": link}, content_type="application/json")


def test_opening_the_link_shows_a_button_and_joins_nobody(at_school: School) -> None:
    client = at_school.clients["fay"]
    for ask in (client.get, client.head):
        answer = ask(f"/join/{at_school.own.link}")
        assert answer.status_code == 200 and not is_in(at_school.own, "fay")
    page = client.get(f"/join/{at_school.own.link}").content.decode()
    assert "7b physics" in page and "tess@example.org" in page and "may stop your jobs" in page
    joined = client.post(f"/join/{at_school.own.link}")
    assert (joined.status_code, joined["Location"]) == (302, at_school.own.page)
    assert is_in(at_school.own, "fay")


def test_form_without_its_token_joins_nobody(at_school: School) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(at_school.people["fay"])
    assert client.post(f"/join/{at_school.own.link}").status_code == 403
    assert not is_in(at_school.own, "fay")


def test_whoever_has_no_account_makes_one_and_comes_back(at_school: School) -> None:
    client = Client()
    path = f"/join/{at_school.own.link}"
    page = client.get(path).content.decode()
    assert f'href="/accounts/signup/?next={path}"' in page and f'href="/accounts/login/?next={path}"' in page
    assert "tess@example.org" not in page
    assert client.post(path).status_code == 200 and Membership.objects.count() == 3
    gus = {"email": "gus@example.org", "password1": PASSWORD, "next": path}
    made = client.post(f"/accounts/signup/?next={path}", gus)
    assert (made.status_code, made["Location"]) == (302, path)
    assert "Join</button>" in client.get(path).content.decode()
    client.post(path)
    assert at_school.own.memberships.filter(person__email="gus@example.org").exists()


def test_script_joins_by_the_link(at_school: School) -> None:
    answer = by_api(at_school.clients["fay"], at_school.own.link)
    told = answer.json()
    assert (answer.status_code, told["name"], told["leads"], told["joining"]) == (200, "7b physics", False, None)
    assert is_in(at_school.own, "fay")


def test_joining_twice_is_joining_once_and_a_teacher_is_no_pupil_of_hers(at_school: School) -> None:
    for name in ("pip", "tess"):
        at_school.clients[name].post(f"/join/{at_school.own.link}")
        assert by_api(at_school.clients[name], at_school.own.link).status_code == 200
    assert at_school.own.memberships.count() == 2


@pytest.mark.parametrize("why", ["made up", "cut short", "renewed", "over", "taken back"])
def test_links_that_lead_nowhere_say_the_same(at_school: School, why: str) -> None:
    links = spent_links(at_school.own)
    client = at_school.clients["fay"]
    answers = {each: client.get(f"/join/{links[each]}") for each in (why, "made up")}
    assert {answer.status_code for answer in answers.values()} == {404}
    assert answers[why].content == answers["made up"].content
    refused = by_api(client, links[why])
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "unknown_link")
    assert client.post(f"/join/{links[why]}").status_code == 404
    assert not Membership.objects.filter(person=at_school.people["fay"]).exists()
    assert by_api(client, at_school.own.link).status_code == 200  # The new one.


def test_five_wrong_links_are_followed_by_a_wait(at_school: School) -> None:
    client = at_school.clients["fay"]
    for _ in range(5):
        assert by_api(client, "a" * 26).status_code == 404
    refused = by_api(client, at_school.own.link)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_tries")
    page = client.get(f"/join/{at_school.own.link}")
    assert page.status_code == 429 and "7b physics" not in page.content.decode()
    assert refused["Retry-After"] == page["Retry-After"] == "300"
    assert not is_in(at_school.own, "fay")
    # One who guesses keeps nobody else out.
    assert client_of(person("gus")).get(f"/join/{at_school.own.link}").status_code == 200


def test_an_address_guesses_twenty_times_a_minute(at_school: School) -> None:
    visitor = Client()
    assert {visitor.get(f"/join/{'b' * 26}").status_code for _ in range(20)} == {404}
    assert visitor.get(f"/join/{at_school.own.link}").status_code == 429


def test_nobody_joins_by_a_script_without_signing_in(at_school: School) -> None:
    answer = by_api(Client(), at_school.own.link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "sign_in_needed")


@pytest.mark.parametrize("link", [None, 5, "a" * 27, ["a"]])
def test_link_that_is_none_is_refused(at_school: School, link: Any) -> None:
    assert by_api(at_school.clients["fay"], link).status_code == 422


def test_joining_by_another_method_is_refused(at_school: School) -> None:
    client = at_school.clients["fay"]
    assert client.put(f"/join/{at_school.own.link}").status_code == 405
    assert client.get("/api/v1/classes/join").status_code == 405


def test_full_class_takes_nobody_more(at_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MOST_PEOPLE", 2)
    assert by_api(at_school.clients["fay"], at_school.own.link).status_code == 409
    assert "as many people as it may" in at_school.clients["fay"].post(f"/join/{at_school.own.link}").content.decode()
    assert by_api(at_school.clients["pip"], at_school.own.link).status_code == 200  # She is in it already.
    assert at_school.own.memberships.count() == 2


def test_link_is_told_to_no_cache_and_no_other_site(at_school: School) -> None:
    answer = Client().get(f"/join/{at_school.own.link}")
    assert answer["Cache-Control"] == "private, no-store"
    # Under no-referrer a browser sends the page's own form with `Origin: null`, which is refused as another site's.
    assert (answer["Referrer-Policy"], answer["X-Robots-Tag"]) == ("same-origin", "noindex, nofollow")


def test_link_has_128_random_bits_and_a_day_on_which_it_ends(at_school: School) -> None:
    assert at_school.own.link is not None and len(at_school.own.link) == 26  # Of five bits each.
    assert at_school.own.link != at_school.other.link
    assert at_school.own.link_until is not None
    assert timedelta(days=29) < at_school.own.link_until - timezone.now() <= timedelta(days=30)


def test_where_everybody_must_sign_in_the_link_still_opens(at_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "required")
    assert Client().get(f"/join/{at_school.own.link}").status_code == 200
    assert Client().get("/classes")["Location"].startswith("/accounts/login/")


def test_where_nobody_signs_in_there_are_no_classes(at_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "off")
    for path in ("/classes", f"/join/{at_school.own.link}", at_school.own.page, "/api/v1/classes"):
        assert Client().get(path).status_code == 404


def test_closed_site_offers_no_new_account(at_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SIGN_UP", False)
    page = Client().get(f"/join/{at_school.own.link}").content.decode()
    assert "/accounts/login/" in page and "/accounts/signup/" not in page


def test_deleted_account_is_in_no_class(at_school: School) -> None:
    Person.objects.get(username="pip").delete()
    assert [each.person.username for each in at_school.own.memberships.all()] == ["quin"]
