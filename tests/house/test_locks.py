"""The locked dependencies: complete, exact, and fit for every machine."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from webapp.supervise import environment

HOUSE = Path(__file__).resolve().parents[2]
LOCKS = ["requirements.lock", "requirements-dev.lock"]
EXACT = re.compile(r'^[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*(; (platform_system|python_full_version) (==|<) "[^"]+")?$')


def lines(name: str) -> list[str]:
    return [line for line in (HOUSE / name).read_text().splitlines() if not line.startswith(("#", "-r "))]


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_is_one_exact_version(name: str) -> None:
    """No address, no hash, and no local version such as +cpu: the same line serves machines with and without a GPU."""
    assert [line for line in lines(name) if not EXACT.match(line)] == []


def test_no_package_is_locked_twice() -> None:
    names = [line.split("==")[0].lower() for name in LOCKS for line in lines(name)]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_everything_named_is_locked_and_installed(name: str) -> None:
    assert environment.missing(HOUSE / name) == []


def test_missing_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "more.in").write_text("# A comment\npytest<10\nheadlight-nothing[extra]~=1.0\n")
    (tmp_path / "more.lock").write_text("headlight-nothing==1.0.1\npytest==0.0.1\n")
    answer = subprocess.run(
        [sys.executable, str(HOUSE / "webapp/supervise/environment.py"), str(tmp_path / "more.lock")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stdout.split() == ["pytest==0.0.1", "headlight-nothing==1.0.1"]
