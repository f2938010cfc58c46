"""The Celery app that workers are."""

from __future__ import annotations

import kombu.utils.functional
import pytest
from kombu.exceptions import OperationalError

from workers.app import PAUSE_S, app


def test_broker_that_is_away_is_looked_for_at_the_same_short_pauses_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses grew to half a minute, and a broker that was back after five minutes found no worker."""
    monkeypatch.setattr(kombu.utils.functional, "sleep", lambda _seconds: None)
    pauses: list[float] = []
    connection = app.connection_for_read("redis://127.0.0.1:1/0")
    with pytest.raises(OperationalError):
        connection.ensure_connection(lambda _error, pause: pauses.append(pause), 20)
    assert pauses == [PAUSE_S] * 20
