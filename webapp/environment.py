"""Variables of the environment, each read by its kind. Mistakes are collected, and told together, a sentence each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

Value = TypeVar("Value")

TRUE, FALSE = ("1", "on", "true", "yes"), ("", "0", "off", "false", "no")


class Environment:
    """A variable NAME may stand in a file instead, which NAME_FILE names: so a secret is in no list of processes.

    What cannot be read counts as not given until `refuse_mistakes` ends the program with all of them.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.mistakes: list[str] = []
        self.read: set[str] = set()

    def text(self, name: str, *, default: str = "") -> str:
        return self._read(name, str, default, "")

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self._read(name, _truth, default, f"one of {', '.join((*TRUE, *filter(None, FALSE)))}")

    def words(self, name: str, *, default: list[str]) -> list[str]:
        return self._read(name, _words, default, "words separated by commas")

    def whole(self, name: str, *, default: int, least: int = 1, most: int = 1 << 60) -> int:
        return self._read(name, _within(int, least, most), default, f"a whole number from {least:,} to {most:,}")

    def real(self, name: str, *, default: float, least: float = 0.0, most: float = 1e9) -> float:
        return self._read(name, _within(float, least, most), default, f"a number from {least:g} to {most:g}")

    def choice(self, name: str, choices: tuple[str, ...], *, default: str) -> str:
        return self._read(name, _one_of(choices), default, f"one of {', '.join(choices)}")

    def address(self, name: str, schemes: tuple[str, ...], *, default: str) -> str:
        allowed = f"an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
        return self._read(name, _with_scheme(schemes), default, allowed)

    def refuse_mistakes(self) -> None:
        """Raises: SystemExit with a sentence for each, as settings are read before any command can speak."""
        if self.mistakes:
            raise SystemExit("\n".join(["Headlight cannot start with these settings:", *self.mistakes]))

    def _read(self, name: str, parse: Callable[[str], Value], default: Value, allowed: str) -> Value:
        self.read.add(name)
        given = self._given(name)
        if given is None:
            return default
        try:
            return parse(given)
        except ValueError:
            # A value may be a secret, so it is not repeated.
            self.mistakes.append(f"- {name} is not {allowed}. README.md, under Settings, lists what it may be.")
            return default

    def _given(self, name: str) -> str | None:
        named = self._variables.get(f"{name}_FILE")
        if not named:
            return self._variables.get(name)
        if name in self._variables:
            self.mistakes.append(f"- {name} and {name}_FILE are both given. Give one of them.")
        try:
            return Path(named).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            self.mistakes.append(f"- {name}_FILE names {named}, which cannot be read. Create it, or name another.")
            return None


def _truth(given: str) -> bool:
    if given.lower() not in (*TRUE, *FALSE):
        raise ValueError
    return given.lower() in TRUE


def _words(given: str) -> list[str]:
    return [word.strip() for word in given.split(",") if word.strip()]


def _within(kind: Callable[[str], Value], least: Value, most: Value) -> Callable[[str], Value]:
    def parse(given: str) -> Value:
        value = kind(given)
        if not least <= value <= most:  # type: ignore[operator]
            raise ValueError
        return value

    return parse


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def parse(given: str) -> str:
        if given not in choices:
            raise ValueError
        return given

    return parse


def _with_scheme(schemes: tuple[str, ...]) -> Callable[[str], str]:
    def parse(given: str) -> str:
        if given.partition("://")[0] not in schemes or not given.partition("://")[2]:
            raise ValueError
        return given

    return parse
