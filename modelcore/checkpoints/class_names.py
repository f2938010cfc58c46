"""What a classifier's classes are called: `id2label` of its config.json."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelcore.checkpoints.json_object import read_json_object
from modelcore.checkpoints.reader import CONFIG_FILE, CONFIG_LIMIT_BYTES
from modelcore.checkpoints.writer import write_json

LONGEST_NAME = 200


def read_class_names(checkpoint: Path) -> dict[int, str]:
    """The names that config.json gives, by class; nothing where it gives none."""
    names = read_json_object(checkpoint / CONFIG_FILE, CONFIG_LIMIT_BYTES).get("id2label")
    given = names.items() if isinstance(names, dict) else ()
    return {int(class_): str(name)[:LONGEST_NAME] for class_, name in given if class_.isascii() and class_.isdigit()}


def write_class_names(checkpoint: Path, names: Sequence[str]) -> None:
    """Into the config.json of a saved checkpoint, as transformers spells them."""
    values = read_json_object(checkpoint / CONFIG_FILE, CONFIG_LIMIT_BYTES)
    values["id2label"] = {str(class_): name for class_, name in enumerate(names)}
    values["label2id"] = {name: class_ for class_, name in enumerate(names)}
    write_json(checkpoint / CONFIG_FILE, values)
