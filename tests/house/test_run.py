"""The script ./run where something is missing: it says what, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
PARTS = ["run", "requirements.in", "requirements-web.in", "requirements.lock", "webapp/supervise/environment.py"]
PLAIN_TOOLS = ["sh", "dirname", "df", "awk", "mkdir", "cmp", "rm", "cat", "sed", "flock"]


class Machine:
    """A folder with ./run in it, and a PATH with nothing but plain tools and the commands a test writes."""

    def __init__(self, folder: Path) -> None:
        self.house = folder / "house"
        self.tools = folder / "tools"
        self.tools.mkdir()
        for part in PARTS:
            (self.house / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HOUSE / part, self.house / part)
        for tool in PLAIN_TOOLS:
            if found := shutil.which(tool):
                (self.tools / tool).symlink_to(found)
        self.command("id", "echo 1000")

    def command(self, name: str, script: str) -> None:
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    def python(self, refused: str) -> None:
        """A python3 that lacks the packages, and answers `python3 -c` with words matching `refused` by failing."""
        self.command("python3", f'case "$*" in *environment.py*|{refused}) exit 1;; esac; exec {sys.executable} "$@"')

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["./run", *arguments],
            cwd=self.house,
            env={"PATH": str(self.tools), "HOME": str(self.house)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_help_names_every_command(machine: Machine) -> None:
    answer = machine.run("--help")
    assert answer.returncode == 0
    for command in ("--port", "--data", "--workers", "add-model", "test", "lint", "bench"):
        assert command in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--colour"], "run: unknown option --colour"),
        (["serve"], "run: unknown command serve"),
        (["--port"], "run: --port needs a value"),
        (["--port", "http"], "run: --port takes a number from 1 to 65535, not http"),
        (["--port", "65536"], "run: --port takes a number from 1 to 65535, not 65536"),
        (["--workers=many"], "run: --workers takes a number from 0 to 64, not many"),
        (["add-model"], "run: add-model needs the path of a checkpoint folder"),
        (["add-model", "a", "b"], "run: add-model takes one folder"),
        (["lint", "webapp"], "run: lint takes no arguments"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(machine: Machine, arguments: list[str], said: str) -> None:
    answer = machine.run(*arguments)
    assert answer.returncode == 2
    assert answer.stderr == f"{said} (./run --help lists the options)\n"


def test_machine_without_python_is_told_which_to_install(machine: Machine) -> None:
    answer = machine.run()
    assert answer.returncode == 1
    assert "needs Python 3.11 or newer, and none is on PATH. On Debian: apt-get install python3" in answer.stdout


def test_old_python_does_not_count(machine: Machine) -> None:
    machine.command("python3", "exit 1")  # What `sys.exit(sys.version_info < (3, 11))` does there.
    assert "needs Python 3.11 or newer" in machine.run().stdout


def test_missing_venv_module_is_told_with_the_package_to_install(machine: Machine) -> None:
    machine.python(refused="*ensurepip*|*virtualenv*")
    answer = machine.run()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    assert answer.returncode == 1
    assert (
        f"lacks the venv module. Run: apt-get install python{version}-venv (as root), then ./run again."
        in answer.stdout
    )
    assert not (machine.house / ".venv").exists()


def test_virtualenv_stands_in_for_a_missing_venv_module(machine: Machine) -> None:
    made = f'mkdir -p .venv/bin; ln -s "{machine.tools}/pip-that-fails" .venv/bin/python; exit 0'
    machine.command("pip-that-fails", "echo 'ERROR: no network'; exit 1")
    machine.command("ln", f'exec {shutil.which("ln")} "$@"')
    machine.command(
        "python3",
        'case "$*" in *environment.py*|*ensurepip*|"-m venv"*) exit 1;; '
        f'"-c import virtualenv") exit 0;; "-m virtualenv"*) {made};; esac; exec {sys.executable} "$@"',
    )
    answer = machine.run()
    assert answer.returncode == 1
    assert "pip       | ERROR: no network" in answer.stdout
    assert "The packages could not be installed; pip's lines above say why." in answer.stdout


def test_data_folder_that_cannot_be_made_is_named(machine: Machine) -> None:
    answer = machine.run("--data", "run/data")
    assert answer.returncode == 1
    assert f"The data folder {machine.house}/run/data cannot be made. Choose another with --data DIR." in answer.stdout


def test_full_disk_is_told_with_what_to_do(machine: Machine) -> None:
    (machine.tools / "df").unlink()
    machine.command("df", "echo Filesystem; echo /dev/sda1 1000 990 10240 99% /")
    answer = machine.run()
    assert answer.returncode == 1
    assert "The disk is nearly full: 10 MB are free" in answer.stdout


def test_environment_that_has_everything_is_left_alone(machine: Machine) -> None:
    """An active environment with the locked packages is used: no .venv is made, nothing is installed."""
    active = machine.house / "active" / "bin"
    active.mkdir(parents=True)
    machine.command("started", 'echo "started with $*"')
    (active / "python").write_text('#!/bin/sh\ncase "$*" in *environment.py*) exit 0;; esac; exec started "$@"\n')
    (active / "python").chmod(0o755)
    for tool in ("find", "sort"):
        machine.command(tool, "exit 0")
    machine.command("cksum", "echo unchanged")
    (machine.house / "static" / "dist").mkdir(parents=True)
    (machine.house / "static" / "dist" / ".sources").write_text("unchanged")
    answer = subprocess.run(
        ["./run", "--port", "8123"],
        cwd=machine.house,
        env={"PATH": str(machine.tools), "VIRTUAL_ENV": str(active.parent), "HOME": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.stdout == f"started with {machine.house}/manage.py up --port 8123\n"
    assert not (machine.house / ".venv").exists()
