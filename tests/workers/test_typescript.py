"""The browser's messages are those of Python."""

from __future__ import annotations

from workers.protocol import typescript


def test_generated_messages_are_fresh() -> None:
    assert typescript.TARGET.read_text() == typescript.typescript(), "run python -m workers.protocol.typescript"
