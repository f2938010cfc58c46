"""The site's words in the visitor's language. English stands in the code; another language is a file.

webapp/languages/CODE.json maps each English text to the same in that language, for templates and for the browser's
code alike (static/src/language/say.ts). What a file lacks is said in English.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from django import template
from django.http import HttpRequest
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation.trans_real import parse_accept_lang_header

register = template.Library()

COOKIE = "headlight_language"
ENGLISH = "en"
FOLDER = Path(__file__).with_name("languages")


def language_of(request: HttpRequest) -> str:
    """The visitor's own choice, else the first of the browser's languages that there is a file for."""
    chosen = request.COOKIES.get(COOKIE)
    header = request.headers.get("Accept-Language", "")
    accepted = (code.partition("-")[0] for code, _ in parse_accept_lang_header(header))
    return next((code for code in [chosen, *accepted] if code in languages()), ENGLISH)


@cache
def languages() -> dict[str, str]:
    """The codes of all languages with their own names. Reads the folder once."""
    return {ENGLISH: "English"} | {path.stem: words(path.stem)["English"] for path in sorted(FOLDER.glob("*.json"))}


@cache
def words(code: str) -> dict[str, str]:
    """What this language says for each English text. Reads the file once."""
    if code == ENGLISH:
        return {}
    said: dict[str, str] = json.loads((FOLDER / f"{code}.json").read_text(encoding="utf-8"))
    return said


@register.simple_tag(takes_context=True)
def say(context: template.Context, text: str) -> str:
    return words(language_of(context["request"])).get(text, text)


@register.simple_tag(takes_context=True)
def language_code(context: template.Context) -> str:
    return language_of(context["request"])


@register.simple_tag(takes_context=True)
def language_words(context: template.Context) -> SafeString | str:
    """The visitor's words for the browser's code, as data in the page; nothing for English."""
    said = words(language_of(context["request"]))
    return json_script(said, "language") if said else ""


@register.simple_tag
def language_names() -> str:
    """All languages for the page's menu: "en=English de=Deutsch"."""
    return " ".join(f"{code}={name}" for code, name in languages().items())
