"""The site itself fails: everybody is told so in words, as a page or in the API's shape, and when to come again."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.test import Client

from webapp.accounts import wall
from webapp.runs import views

AWAY = [OperationalError("connection refused"), InterfaceError("connection already closed"), OSError(28, "full")]


@pytest.fixture
def visitor() -> Client:
    """Is answered what a browser would be, where Django's client would raise."""
    return Client(raise_request_exception=False)


def failing(error: Exception) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", AWAY, ids=lambda error: type(error).__name__)
def test_page_says_that_what_is_kept_is_away_and_when_to_come_again(
    visitor: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(views, "_page", failing(error))
    answer = visitor.get("/train")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "cannot reach what it keeps" in answer.content.decode()
    assert str(error) not in answer.content.decode()


def test_page_that_broke_names_the_id_under_which_the_log_says_why(
    visitor: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(views, "_page", failing(ValueError("a secret")))
    answer = visitor.get("/train")
    told = answer.content.decode()
    assert answer.status_code == 500 and "a secret" not in told
    id_ = told.partition("<code>")[2].partition("</code>")[0]
    assert len(id_) == 16
    assert any(id_ in record.getMessage() and "a secret" in str(record.exc_info) for record in caplog.records)


@pytest.mark.parametrize(
    ("error", "status", "code"), [*((error, 503, "storage_away") for error in AWAY), (ValueError("b"), 500, "internal")]
)
def test_api_keeps_its_shape_where_the_way_to_it_failed(
    visitor: Client, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, code: str
) -> None:
    monkeypatch.setattr(settings, "SIGN_IN", "required")
    monkeypatch.setattr(wall, "person_of", failing(error))
    answer = visitor.get("/api/v1/models")
    told = answer.json()
    assert (answer.status_code, told["status"], told["error"]["code"]) == (status, status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.headers.get("Retry-After") == ("5" if status == 503 else None)
