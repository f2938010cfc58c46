"""Translations that the installed Django brings along, as pairs to learn."""

from __future__ import annotations

import importlib.util
import struct
from typing import Any

import pytest

from modelcore.training.assignments import assignment_of, catalogs, found_pairs
from modelcore.training.assignments.catalogs import read_catalogs, read_mo
from modelcore.training.assignments.found_pairs import is_held_out
from modelcore.training.plan import PlanError, TrainingPlan


def mo(messages: dict[str, str], order: str = "<") -> bytes:
    """A compiled catalog, as gettext's manual describes it."""
    texts = [text.encode() for pair in messages.items() for text in pair]
    start, table, body = 28 + 8 * len(texts), [], b""
    for text in texts:
        table.append(struct.pack(f"{order}2I", len(text), start + len(body)))
        body += text + b"\0"
    count = len(messages)
    head = struct.pack(f"{order}7I", catalogs.MAGIC, 0, count, 28, 28 + 8 * count, 0, 0)
    return head + b"".join(table[::2] + table[1::2]) + body


@pytest.mark.parametrize("order", "<>")
def test_messages_of_one_sentence_are_read_whatever_machine_wrote_them(order: str) -> None:
    told = mo({"": "Project-Id: x", "Save": "Sichern", "two\n lines": "zwei Zeilen"}, order)
    assert read_mo(told) == [("Save", "Sichern"), ("two lines", "zwei Zeilen")]


@pytest.mark.parametrize(
    ("english", "translated"),
    [
        ("%(n)d day\0%(n)d days", "%(n)d Tag\0%(n)d Tage"),
        ("alt. month\x04May", "Mai"),
        ("N j, Y", ""),
        ("%(a)s, %(b)s", "%(a)s und %(b)s"),
        ("<b>%s</b>", "<b>%s</b>"),
        ("{0}: {1}", "{0} – {1}"),
    ],
)
def test_plurals_contexts_and_mere_formats_are_left_out(english: str, translated: str) -> None:
    assert read_mo(mo({english: translated, "Save": "Sichern"})) == [("Save", "Sichern")]


@pytest.mark.parametrize(
    "content", [b"", b"no catalog", mo({"Save": "Sichern"})[:30], b"\xde\x12\x04\x95" + b"\xff" * 40]
)
def test_broken_catalog_is_refused(content: bytes) -> None:
    with pytest.raises(PlanError, match="install it again"):
        read_mo(content)


@pytest.mark.parametrize(("source", "target"), [("de", "en"), ("en", "de"), ("fr", "en"), ("en", "fr")])
def test_installed_catalogs_are_hundreds_of_pairs_in_an_order_that_stays(source: str, target: str) -> None:
    pairs = read_catalogs(source, target)
    sources = [pair.source for pair in pairs]
    assert len(pairs) > 500 and sources == sorted(set(sources)) and pairs == read_catalogs(source, target)


def test_what_is_measured_is_the_same_for_every_seed_and_never_trained_on() -> None:
    one, other = (
        assignment_of(TrainingPlan(assignment="catalogs", length=48, batch=500, seed=seed)) for seed in (1, 2)
    )
    told: list[Any] = [one, other]
    assert told[0].held_out == told[1].held_out and len(told[0].held_out) > 30
    assert not any(is_held_out(pair) for pair in told[0]._known)
    assert {pair.source for pair in told[0].held_out}.isdisjoint(pair.source for pair in told[0]._known)


def test_package_that_is_not_there_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PlanError, match="Django is not installed") as refused:
        read_catalogs("de", "en")
    assert refused.value.field == "assignment"


def test_length_that_leaves_few_pairs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found_pairs, "FEWEST", 600)
    with pytest.raises(PlanError) as refused:
        assignment_of(TrainingPlan(assignment="catalogs", length=8, tokenizer="bytes"))
    assert refused.value.field == "length"
