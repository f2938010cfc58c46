"""Somebody makes an account, signs in and out; guessing, foreign pages and strange ways back lead nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any
from unittest import mock

import pytest
from allauth.account.auth_backends import AuthenticationBackend
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from tests.webapp.people import PASSWORD, client_of, person
from webapp.accounts.models import Person

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"


@pytest.fixture(autouse=True)
def nobody_has_tried_yet() -> None:
    cache.clear()


def sign_in(client: Client, email: str, password: str, **more: str) -> Any:
    return client.post(LOGIN, {"login": email, "password": password, **more})


def test_account_is_made_and_signed_in_at_once() -> None:
    client = Client()
    answer = client.post("/accounts/signup/", {"email": "ada@example.org", "password1": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    ada = Person.objects.get(email="ada@example.org")
    assert ada.role == "member" and ada.password.startswith("argon2")
    assert client.get("/account").status_code == 200


def test_signing_out_needs_a_press() -> None:
    client = client_of(person("ada"))
    client.get("/accounts/logout/")
    assert client.get("/account").status_code == 200
    client.post("/accounts/logout/")
    assert client.get("/account").status_code == 302


def test_forms_speak_the_visitors_language() -> None:
    answer = Client(headers={"accept_language": "de"}).post(LOGIN, {"login": "a@example.org", "password": "x"})
    page = answer.content.decode()
    assert "Anmelden" in page and "Passwort" in page and "E-Mail" in page
    assert "correct" not in page


def test_five_wrong_passwords_are_followed_by_a_wait() -> None:
    person("ada")
    client = Client()
    for _ in range(5):
        sign_in(client, "ada@example.org", "wrong")
    assert b"Too many" in sign_in(client, "ada@example.org", PASSWORD).content
    assert client.get("/account").status_code == 302


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
def test_unknown_address_and_wrong_password_take_the_same_work_and_say_the_same(email: str) -> None:
    """A password is hashed once either way, so neither the clock nor the page tells who has an account."""
    person("ada")
    with (
        mock.patch.object(AuthenticationBackend, "_mitigate_timing_attack", autospec=True) as hashed,
        mock.patch("django.contrib.auth.base_user.AbstractBaseUser.check_password", return_value=False) as checked,
    ):
        page = sign_in(Client(), email, "wrong").content.decode()
    assert hashed.call_count + checked.call_count == 1
    assert "The email address and/or password you specified are not correct." in page


@pytest.mark.parametrize("target", ["https://evil.example", "//evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_the_way_back_stays_on_this_site(target: str) -> None:
    person("ada")
    assert sign_in(Client(), "ada@example.org", PASSWORD, next=target)["Location"] == "/"
    assert sign_in(Client(), "ada@example.org", PASSWORD, next="/runs")["Location"] == "/runs"


def test_form_without_its_token_is_refused() -> None:
    person("ada")
    client = Client(enforce_csrf_checks=True)
    assert sign_in(client, "ada@example.org", PASSWORD).status_code == 403


@pytest.mark.parametrize("path", [LOGIN, "/accounts/signup/", "/account"])
def test_pages_of_people_are_kept_in_no_cache_and_framed_nowhere(path: str) -> None:
    answer = client_of(person("ada") if path == "/account" else None).get(path)
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Frame-Options"] == "DENY"


def test_what_one_person_sees_is_kept_in_no_cache() -> None:
    answer = client_of(person("ada")).get("/api/v1/runs")
    assert answer["Cache-Control"] == "private, no-store"


def test_closed_site_makes_no_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SIGN_UP", False)
    client = Client()
    client.post("/accounts/signup/", {"email": "ada@example.org", "password1": PASSWORD})
    assert not Person.objects.exists()
    assert b"No new accounts" in client.get("/accounts/signup/").content


def test_where_nobody_signs_in_there_is_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "off")
    for path in (LOGIN, "/accounts/signup/", "/account"):
        assert Client().get(path).status_code == 404
    assert Client().get("/").status_code == 200


def test_where_everybody_must_sign_in_nothing_else_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "required")
    visitor = Client()
    for path in ("/", "/runs", "/train"):
        assert visitor.get(path)["Location"].startswith("/accounts/login/?next=")
    answer = visitor.get("/api/v1/models")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "sign_in_needed")
    assert visitor.get("/healthz").status_code == 200
    assert client_of(person("ada")).get("/api/v1/models").status_code == 200


def run_check(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "check", *arguments],
        cwd=settings.BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_settings_for_others_pass_djangos_own_check() -> None:
    answer = run_check("--deploy", "--fail-level", "WARNING", HEADLIGHT_ALLOWED_HOSTS="headlight.example")
    assert answer.returncode == 0, answer.stderr


def test_bad_choice_of_signing_in_is_told_in_a_sentence() -> None:
    answer = run_check(HEADLIGHT_SIGN_IN="maybe")
    assert answer.returncode == 1
    assert "HEADLIGHT_SIGN_IN is not one of off, optional, required." in answer.stderr
    assert "Traceback" not in answer.stderr
