"""Which programs a machine runs: one worker a device, and none that knows the database's password."""

from __future__ import annotations

from pathlib import Path

import pytest

from webapp.supervise import roster


@pytest.fixture
def four_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:04:00.0"):
        (tmp_path / name).mkdir()
    monkeypatch.setattr(roster, "DRIVER", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def device_of(number: int) -> str | None:
    return roster.worker(number, 8000, {"PATH": "/bin"}).environment.get("CUDA_VISIBLE_DEVICES")


@pytest.mark.usefixtures("four_devices")
def test_each_worker_has_a_device_of_its_own() -> None:
    assert roster.gpus() == 4
    assert [device_of(number) for number in (1, 2, 3, 4, 5)] == ["0", "1", "2", "3", "0"]


@pytest.mark.usefixtures("four_devices")
def test_only_devices_that_may_be_seen_are_shared_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-7f")
    assert roster.gpus() == 2
    assert [device_of(number) for number in (1, 2, 3)] == ["2", "GPU-7f", "2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert (roster.gpus(), device_of(1)) == (0, None)


def test_machine_without_a_driver_chooses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "DRIVER", tmp_path / "nothing")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert (roster.gpus(), device_of(1)) == (0, None)


def test_workers_know_no_secret_of_the_web() -> None:
    environment = {"DATABASE_URL": "postgres://a:b@c/d", "HEADLIGHT_SECRET_KEY": "s", "REDIS_URL": "redis://h"}
    for program in (roster.worker(1, 8000, environment), roster.trainer(1, environment)):
        assert not set(roster.WEB_SECRETS) & set(program.environment)
        assert program.environment["REDIS_URL"] == "redis://h"
