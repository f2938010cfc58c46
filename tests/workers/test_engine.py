"""What a worker says of its models: which it has, which it is loading, and which it let go for want of room."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis

from modelcore.checkpoints.error import CheckpointError
from workers.protocol import keys
from workers.protocol.jobs import Source
from workers.runtime import engine as engine_module
from workers.runtime.engine import Engine
from workers.runtime.heartbeat import Heartbeat


def test_model_is_loading_and_then_ready(random_gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, seen = Engine("cpu"), []
    real = engine_module.open_any

    def watched(path: Path, limited: bool) -> object:
        seen.append(engine.states())
        return real(path, limited=limited)

    monkeypatch.setattr(engine_module, "open_any", watched)
    assert engine.states() == {}
    engine.model(Source(model="random", path=str(random_gpt2)))
    assert seen == [{"random": "loading"}]
    assert engine.states() == {"random": "ready"}


def test_model_that_cannot_be_read_is_not_loading_for_ever(tmp_path: Path) -> None:
    engine = Engine("cpu")
    with pytest.raises(CheckpointError):
        engine.model(Source(model="broken", path=str(tmp_path)))
    assert engine.states() == {}


def test_model_that_had_to_make_room_is_told_no_longer(random_gpt2: Path) -> None:
    engine = Engine("cpu", limit_bytes=1)
    engine.model(Source(model="first", path=str(random_gpt2)))
    engine.model(Source(model="second", path=str(random_gpt2)))
    assert engine.states() == {"second": "ready"}


def test_pulse_carries_the_models(broker: redis.Redis) -> None:
    heartbeat = Heartbeat(broker, "one", "cpu", "cpu", lambda: {"prose": "ready"})
    heartbeat.start()
    try:
        assert b'"models": {"prose": "ready"}' in broker.get(keys.worker("one"))
    finally:
        heartbeat.stop()
