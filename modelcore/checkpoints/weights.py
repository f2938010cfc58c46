"""The weights of a checkpoint's folder: which files hold them, and where in those each tensor lies.

Safetensors are taken where both kinds are there, and one file where there are also shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import read_json_object
from modelcore.checkpoints.pickled import read_pickled
from modelcore.checkpoints.safetensors_file import read_header
from modelcore.checkpoints.stored import StoredTensor

if TYPE_CHECKING:
    from torch import Tensor

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

READERS: dict[str, Callable[[Path], list[StoredTensor]]] = {
    SINGLE_FILE: read_header,
    INDEX_FILE: read_header,
    "pytorch_model.bin": read_pickled,
    "pytorch_model.bin.index.json": read_pickled,
    "pytorch_model.pt": read_pickled,
    "model.pt": read_pickled,
}

INDEX_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True)
class Weights:
    """All tensors of a checkpoint by name, not yet read."""

    tensors: dict[str, StoredTensor]
    size_bytes: int

    def read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        """The named tensors one after the other, each in memory of its own."""
        for name in names:
            yield name, self.tensors[name].read()


def open_weights(folder: Path) -> Weights:
    """Finds and checks the weight files of a folder.

    Raises: CheckpointError if there are none, or a header, a table of tensors or the index is wrong.
    """
    first = next((name for name in READERS if (folder / name).is_file()), None)
    if first is None:
        raise CheckpointError(f"This folder has no weights; they are read from {', '.join(READERS)}.")
    placed = _read_index(folder, first) if first.endswith(".json") else None
    shards = [first] if placed is None else sorted(set(placed.values()))
    files = [inner_file(folder, shard) for shard in shards]
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        for tensor in READERS[first](file):
            if tensor.name in tensors:
                double = tensors[tensor.name].file.name
                raise CheckpointError(f"{tensor.name} is stored twice, in {double} and in {file.name}.")
            tensors[tensor.name] = tensor
    for name, shard in (placed or {}).items():
        if name not in tensors or tensors[name].file.name != shard:
            raise CheckpointError(f"{first} promises {name[:80]} in {shard}, which does not hold it.")
    return Weights(tensors, sum(file.stat().st_size for file in files))


def inner_file(folder: Path, name: str) -> Path:
    """A file directly inside the folder; a link that leads out of it is refused.

    Raises: CheckpointError, also if the file is missing.
    """
    if Path(name).name != name or name in ("", ".", ".."):
        raise CheckpointError(f"{name[:80]!r} is not a plain file name inside the checkpoint's folder.")
    file = folder / name
    if not file.is_file():
        raise CheckpointError(f"{name} is missing from the checkpoint's folder.")
    if not file.resolve().is_relative_to(folder.resolve()):
        raise CheckpointError(f"{name} is a link that leaves the checkpoint's folder; put the file itself there.")
    return file


def _read_index(folder: Path, name: str) -> dict[str, str]:
    placed = read_json_object(inner_file(folder, name), INDEX_LIMIT_BYTES).get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(shard, str) for shard in placed.values()):
        raise CheckpointError(f"{name} has no weight_map from tensor names to file names.")
    return placed
