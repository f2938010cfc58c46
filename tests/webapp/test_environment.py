"""Settings from the environment: read by kind, refused together, each in a sentence, and all in one table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from webapp.environment import Environment

HOUSE = Path(__file__).resolve().parents[2]


def test_values_are_read_by_their_kind_and_defaults_stand_where_nothing_is_given() -> None:
    env = Environment({"WHOLE": "7", "REAL": "0.5", "FLAG": "on", "WORDS": "a, b,", "PLACE": "unix:///x"})
    assert (env.whole("WHOLE", default=1), env.whole("OTHER", default=1)) == (7, 1)
    assert env.real("REAL", default=1.0) == 0.5 and env.flag("FLAG") and not env.flag("OFF")
    assert env.words("WORDS", default=[]) == ["a", "b"]
    assert env.address("PLACE", ("redis", "unix"), default="") == "unix:///x"
    env.refuse_mistakes()


@pytest.mark.parametrize("given", ["", "seven", "0", "1e3", "9" * 30])
def test_number_that_is_none_or_too_large_is_a_mistake(given: str) -> None:
    env = Environment({"WHOLE": given})
    assert env.whole("WHOLE", default=5, most=100) == 5
    assert env.mistakes == [
        "- WHOLE is not a whole number from 1 to 100. README.md, under Settings, lists what it may be."
    ]


def test_secret_is_read_from_a_file_and_never_repeated(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    assert Environment({"KEY_FILE": str(secret)}).text("KEY") == "hush"
    env = Environment({"KEY_FILE": str(tmp_path / "nowhere"), "WHERE": "ftp://user:hush@host"})
    assert env.text("KEY", default="none") == "none"
    env.address("WHERE", ("redis",), default="")
    with pytest.raises(SystemExit) as ended:
        env.refuse_mistakes()
    told = str(ended.value)
    assert "KEY_FILE names" in told and "WHERE is not an address that begins with redis://" in told
    assert "hush" not in told


def test_site_does_not_start_with_wrong_settings_and_says_all_of_them() -> None:
    wrong = {"HEADLIGHT_LEASE_S": "soon", "REDIS_URL": "localhost", "HEADLIGHT_DEBUG": "perhaps"}
    done = subprocess.run(
        [sys.executable, "manage.py", "check"], cwd=HOUSE, env=os.environ | wrong, capture_output=True, text=True
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert all(f"- {name} is not" in done.stderr for name in wrong)


def test_table_of_the_readme_names_every_variable_and_no_other() -> None:
    files = [*(HOUSE / "webapp").rglob("*.py"), *(HOUSE / "workers").rglob("*.py"), HOUSE / "run"]
    # The client, and a notebook that uses it, ask a site from elsewhere.
    ours = [file for file in files if not {"client", "notebook.py"} & set(file.relative_to(HOUSE).parts)]
    words = "\n".join(file.read_text(encoding="utf-8") for file in ours)
    read = set(re.findall(r"\b(?:HEADLIGHT_[A-Z0-9_]+|REDIS_URL|DATABASE_URL)\b", words))
    table = (HOUSE / "README.md").read_text(encoding="utf-8").split("## Settings")[1].split("\n## ")[0]
    told = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", table, re.M))
    assert told == {name.removesuffix("_FILE") for name in read}
