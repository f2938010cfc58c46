"""From files that somebody brought to a model's folder, or to the sentence that says why not.

The order is from cheap to dear: names and headers are judged before torch is imported, and torch before a weight is
read.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import read_json_object
from modelcore.checkpoints.stored import StoredTensor
from modelcore.inspection import config_check, names
from modelcore.inspection.archives import is_archive, unpack
from modelcore.inspection.confine import limit_memory
from modelcore.inspection.tokenizer_check import check_tokenizer
from modelcore.inspection.weights_check import SINGLE, chosen_weights, convert, read_headers, require_index

if TYPE_CHECKING:
    from modelcore.opening import Openable

LICENCE_LIMIT_BYTES = 65_536
TORCH_BYTES = 16 << 30
"""Address space for torch's libraries while they are loaded; little of it is ever used."""

# What config.json tells that no family's reader asks for, and that does no harm.
KEPT_KEYS = frozenset(
    ["model_type", "architectures", "id2label", "label2id", "dtype", "torch_dtype", "transformers_version"]
)


@dataclass(frozen=True)
class Brought:
    """One file as it came: what it was called, and where it lies now."""

    name: str
    path: Path


@dataclass(frozen=True)
class Asked:
    """`model` becomes the folder of the model; `memory_bytes` come on top of what the weights take."""

    files: list[Brought]
    model: Path
    limit_bytes: int
    tokenizer_s: float = 10.0
    memory_bytes: int = 1 << 30


@dataclass
class Found:
    """What is told of a model that is ready: notes are whole sentences."""

    manifest: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    licence: str = ""


def inspect(asked: Asked, begin: Callable[[str], None]) -> Found:
    """Makes the model's folder; `begin` hears of each stage before it is entered.

    Raises: CheckpointError with code and field.
    """
    found, folder = Found(), asked.model
    begin("files")
    _gather(asked, found)
    begin("headers")
    tensors = _weights(folder, found)
    begin("config")
    _config(folder, found)
    begin("tokenizer")
    if (folder / "tokenizer.json").exists():
        check_tokenizer(folder / "tokenizer.json")
    begin("conversion")
    tensors = _as_safetensors(folder, tensors, found)
    begin("structure")
    limit_memory(TORCH_BYTES)
    _open(asked, found, sum(tensor.size_bytes for tensor in tensors.values()), begin)
    return found


def _gather(asked: Asked, found: Found) -> None:
    """The files that make the model, in its folder, under names of an allow-list."""
    asked.model.mkdir()
    if len(asked.files) == 1 and is_archive(asked.files[0].path):
        left_out = unpack(
            asked.files[0].path, asked.limit_bytes, lambda name, pieces: _write(asked.model / name, pieces)
        )
    else:
        brought = {names.require_sound(file.name): file.path for file in asked.files}
        names.require_distinct(names.require_sound(file.name) for file in asked.files)
        chosen, left_out = names.choose(brought), []
        left_out = chosen.left_out
        for name, kept in chosen.kept.items():
            _link(brought[name], asked.model / kept)
    if left_out:
        shown = ", ".join(names.shown(name)[1:-1] for name in left_out[:5])
        more = f" and {len(left_out) - 5:,} more" if len(left_out) > 5 else ""
        found.notes.append(f"Left out, being no part of a model: {shown}{more}.")
    for path in sorted(asked.model.iterdir()):
        if names.LICENCES.fullmatch(path.name):
            found.licence = found.licence or _text(path)
            path.unlink()


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("xb") as file:
        for piece in pieces:
            file.write(piece)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # A disk without hard links.
        shutil.copyfile(source, target)


def _text(path: Path) -> str:
    with path.open("rb") as file:
        text = file.read(LICENCE_LIMIT_BYTES).decode("utf-8", "replace")
    return "".join(letter for letter in text if letter.isprintable() or letter in "\n\t").strip()


def _weights(folder: Path, found: Found) -> dict[str, StoredTensor]:
    files = sorted(path for path in folder.iterdir() if names.WEIGHTS.fullmatch(path.name))
    read, left_out = chosen_weights(files)
    for path in left_out:
        path.unlink()
    if left_out:
        found.notes.append(
            f"Left out, because the safetensors say the same: {', '.join(p.name for p in left_out[:5])}."
        )
    return read_headers(read)


def _config(folder: Path, found: Found) -> None:
    try:
        values = read_json_object(folder / names.CONFIG, config_check.BYTES_LIMIT)
    except CheckpointError as error:
        error.code, error.field = "bad_config", names.CONFIG
        raise
    config_check.require_possible(values)
    values, dropped = config_check.without_code(values)
    if dropped:
        _replace(folder / names.CONFIG, values)
    if any(key.rpartition(".")[2] in config_check.CODE for key in dropped):
        found.notes.append("This model brings code of its own, which is never run; only its weights are read.")


def _as_safetensors(folder: Path, tensors: dict[str, StoredTensor], found: Found) -> dict[str, StoredTensor]:
    """Pickles are rewritten, so that nobody opens one again."""
    files = {tensor.file for tensor in tensors.values()}
    if all(file.suffix == ".safetensors" for file in files):
        require_index(folder, tensors)
        return tensors
    converted = folder / f".{SINGLE}"
    convert(tensors, converted)
    for path in [*files, *(folder / name for name in names.INDEXES)]:
        path.unlink(missing_ok=True)
    converted.rename(folder / SINGLE)
    found.notes.append("The pickled weights were rewritten as safetensors.")
    return read_headers([folder / SINGLE])


def _open(asked: Asked, found: Found, weights_bytes: int, begin: Callable[[str], None]) -> None:
    """All that needs torch."""
    from modelcore.inspection.trial import require_within, try_tokenizer
    from modelcore.inspection.values_check import require_finite
    from modelcore.manifest import describe_opened
    from modelcore.opening import open_any

    limit_memory(asked.memory_bytes)
    begin("tokenizer")
    tokenizer = try_tokenizer(asked.model, asked.tokenizer_s)
    begin("structure")
    # A checkpoint of another library's architecture has that library imported, and is run once at a small size.
    limit_memory(asked.memory_bytes + (TORCH_BYTES if not _is_native(asked.model) else 0))
    checkpoint = _opened(lambda: open_any(asked.model), asked.model)
    found.manifest = _opened(lambda: describe_opened(checkpoint), asked.model)
    if tokenizer is not None and checkpoint.config.image is None:
        require_within(tokenizer, checkpoint.config.vocabulary)
    begin("values")
    limit_memory(asked.memory_bytes + weights_bytes)
    broken = require_finite(checkpoint.weights, set(checkpoint.unused))
    _opened(checkpoint.refuse_disagreement, asked.model)
    if broken:
        found.notes.append(f"{len(broken)} tensors that the model does not use hold values that are not finite.")
    if checkpoint.unused:
        shown = ", ".join(name[:60] for name in checkpoint.unused[:3])
        found.notes.append(f"Not used by the model: {len(checkpoint.unused):,} tensors, such as {shown}.")
    _keep_known_keys(checkpoint)


def _is_native(folder: Path) -> bool:
    from modelcore.checkpoints.families import FAMILIES

    return read_json_object(folder / names.CONFIG, config_check.BYTES_LIMIT).get("model_type") in FAMILIES


def _opened(act: Callable[[], Any], folder: Path) -> Any:
    """What `act` gives. A refusal gets the code and the field that its sentence is about."""
    try:
        return act()
    except CheckpointError as error:
        if error.code is None:
            message = str(error)
            error.code = "bad_config" if message.startswith(names.CONFIG) else "bad_tensor"
            if error.field is None:
                error.field = _field(message, folder)
        raise


def _field(message: str, folder: Path) -> str | None:
    """The key of config.json that a sentence begins with, or the tensor."""
    first = message.removeprefix("config.json: ").split(" ")[0].rstrip(":;,.")
    if not message.startswith(names.CONFIG):
        return first[:80] if "." in first or "_" in first else None
    keys = read_json_object(folder / names.CONFIG, config_check.BYTES_LIMIT)
    return first if first.partition(".")[0] in keys or "_" in first else names.CONFIG


def _keep_known_keys(checkpoint: Openable) -> None:
    """Rewrites config.json with the keys that its family reads. One that is read otherwise then stays as it is."""
    from modelcore.checkpoints.families import FAMILIES
    from modelcore.checkpoints.reader import Checkpoint

    if not isinstance(checkpoint, Checkpoint):
        return
    family, path = FAMILIES[checkpoint.family], checkpoint.path / names.CONFIG
    shapes = {name: checkpoint.weights.tensors[stored].shape for name, stored in checkpoint.stored_names.items()}
    values = config_check.Noted(read_json_object(path, config_check.BYTES_LIMIT))
    family.read_config(values, shapes)
    kept = {key: value for key, value in values.items() if key in values.read or key in KEPT_KEYS}
    try:
        same = family.read_config(kept, shapes) == checkpoint.config
    except ValueError:
        same = False
    if same and len(kept) < len(values):
        _replace(path, kept)


def _replace(path: Path, values: dict[str, Any]) -> None:
    """A new file: the one that is there may be the upload itself, by a second name."""
    path.unlink()
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
