"""A visitor reads the site in a language of hers, and every word of it has one mechanism."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.http import HttpRequest
from django.test import Client

from webapp import language

HOUSE = settings.BASE_DIR
SAID_BY_CODE = re.compile(r'\bsay\(\s*"((?:[^"\\]|\\.)*)"')
SAID_BY_TEMPLATES = re.compile(r'{% say "([^"]*)" %}')
OTHERS = sorted(set(language.languages()) - {language.ENGLISH})


def english() -> set[str]:
    """Every text that the page's code and the templates say."""
    code = "".join(path.read_text() for path in sorted((HOUSE / "static" / "src").rglob("*.ts")))
    templates = "".join(path.read_text() for path in sorted((HOUSE / "webapp" / "templates").rglob("*.html")))
    said = [text.replace('\\"', '"') for text in SAID_BY_CODE.findall(code)] + SAID_BY_TEMPLATES.findall(templates)
    return set(said)


def visit(**headers: str) -> str:
    return Client(headers=headers).get("/nowhere").content.decode()


@pytest.fixture
def klingon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One language more, as a file."""
    said = {"English": "tlhIngan", "There is nothing at this address": "pagh tu'lu'"}
    (tmp_path / "tlh.json").write_text(json.dumps(said))
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    _forget()
    yield
    _forget()


def _forget() -> None:
    language.languages.cache_clear()
    language.words.cache_clear()


def test_english_is_said_to_whoever_asks_for_no_language_that_is_here() -> None:
    assert '<html lang="en"' in visit()
    assert '<html lang="en"' in visit(accept_language="tlh, en;q=0.5")


@pytest.mark.usefixtures("klingon")
def test_browser_language_and_then_the_visitors_own_choice_decide() -> None:
    page = visit(accept_language="tlh-QO, en;q=0.5")
    assert '<html lang="tlh"' in page
    assert "pagh tu&#x27;lu&#x27;" in page
    client = Client(headers={"accept_language": "tlh"})
    client.cookies[language.COOKIE] = "en"
    assert '<html lang="en"' in client.get("/nowhere").content.decode()


def test_made_up_language_of_a_cookie_is_ignored() -> None:
    request = HttpRequest()
    request.COOKIES[language.COOKIE] = "../../settings"
    assert language.language_of(request) == "en"


@pytest.mark.parametrize("code", OTHERS)
def test_language_says_all_that_the_site_says_and_nothing_else(code: str) -> None:
    assert set(language.words(code)) == english() | {"English"}


@pytest.mark.parametrize("code", OTHERS)
def test_every_value_that_a_text_names_is_named_in_the_other_language_too(code: str) -> None:
    def named(text: str) -> list[str]:
        return sorted(set(re.findall(r"\{(\w+)\}", text)))

    wrong = [text for text, said in language.words(code).items() if named(text) != named(said)]
    assert wrong == []


@pytest.mark.parametrize("code", OTHERS)
def test_texts_of_a_file_stand_in_their_order_after_the_languages_name(code: str) -> None:
    name, *texts = language.words(code)
    assert name == "English" and texts == sorted(texts)
