"""Whether a Python has what Headlight needs: `python environment.py requirements.lock` names what is missing.

./run asks this of the Python in use before it makes a virtual environment, so nothing but the standard library
is imported here. Asked for are the packages that we import ourselves, at the locked versions; what those need
in turn is the business of whoever made the environment.
"""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)[^;]*?(?:;\s*(?P<marker>.+))?$")


def missing(lock: Path) -> list[str]:
    """The packages named in the .in file beside `lock` that this Python has not at the locked version.

    A local version does not matter: torch 2.13.0+cpu is torch 2.13.0.
    """
    pins = dict(_pins(lock))
    lacking = []
    for name in _named(lock.with_suffix(".in")):
        pinned = pins.get(name)
        if pinned and _installed(name) != pinned:
            lacking.append(f"{name}=={pinned}")
    return lacking


def _named(path: Path) -> Iterator[str]:
    """The requirements of a .in file that this platform needs, also those of the files it includes."""
    for line in _lines(path):
        if line.startswith("-r "):
            yield from _named(path.parent / line[3:].strip())
        elif (match := REQUIREMENT.match(line)) and match["marker"] in (None, _platform_marker()):
            yield _canonical(match["name"])


def _pins(path: Path) -> Iterator[tuple[str, str]]:
    """Name and version of each line of a lock, also of the locks it includes."""
    for line in _lines(path):
        if line.startswith("-r "):
            yield from _pins(path.parent / line[3:].strip())
        else:
            name, version = line.split(";")[0].strip().split("==")
            yield _canonical(name), version


def _platform_marker() -> str:
    return f'platform_system == "{platform.system()}"'


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name).split("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _lines(path: Path) -> list[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower()


if __name__ == "__main__":
    lacking = [each for lock in sys.argv[1:] for each in missing(Path(lock))]
    print("\n".join(lacking))
    sys.exit(1 if lacking else 0)
