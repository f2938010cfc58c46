"""The safetensors files of a checkpoint: headers read and checked before any weight is touched.

    u64 header length | JSON header {name: {dtype, shape, data_offsets}} | the tensors' bytes

Source: the safetensors format, https://github.com/huggingface/safetensors#format; the limits on
headers are ours, well below the library's.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from modelcore.checkpoints.error import CheckpointError

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"

HEADER_LIMIT_BYTES = 16 * 1024 * 1024
TENSOR_LIMIT = 100_000
NAME_LIMIT = 512
RANK_LIMIT = 8

# Bytes of one element in the dtypes that weights come in.
ELEMENT_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
# Dtypes of stored masks and counters, which only tensors that nobody reads may have.
OTHER_ELEMENT_BYTES = {"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True)
class StoredTensor:
    """What a header says of one tensor."""

    file: Path
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Weights:
    """All tensors of a checkpoint by name, not yet read."""

    tensors: dict[str, StoredTensor]
    size_bytes: int

    def read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        """The named tensors one after the other, each file mapped into memory once."""
        with ExitStack() as stack:
            opened: dict[Path, Any] = {}
            for name in names:
                file = self.tensors[name].file
                if file not in opened:
                    try:
                        opened[file] = stack.enter_context(safe_open(file, framework="pt"))
                    except SafetensorError as error:
                        raise CheckpointError(f"{file.name} is not a valid safetensors file.") from error
                yield name, opened[file].get_tensor(name)


def open_weights(folder: Path) -> Weights:
    """Finds and checks the weight files of a folder.

    Raises: CheckpointError if there are none, or a header or the index is wrong.
    """
    if (folder / SINGLE_FILE).is_file():
        files, placed = [inner_file(folder, SINGLE_FILE)], None
    elif (folder / INDEX_FILE).is_file():
        placed = _read_index(folder)
        files = [inner_file(folder, shard) for shard in sorted(set(placed.values()))]
    else:
        raise CheckpointError(_explain_missing(folder))
    tensors: dict[str, StoredTensor] = {}
    for file in files:
        for name, tensor in _read_header(file).items():
            if name in tensors:
                raise CheckpointError(f"{name} is stored twice, in {tensors[name].file.name} and in {file.name}.")
            tensors[name] = tensor
    for name, shard in (placed or {}).items():
        if name not in tensors or tensors[name].file.name != shard:
            raise CheckpointError(f"{INDEX_FILE} promises {name[:80]} in {shard}, which does not hold it.")
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


def read_json_object(file: Path, limit_bytes: int) -> dict[str, Any]:
    """A JSON file that holds one object. Raises: CheckpointError."""
    size = file.stat().st_size
    if size > limit_bytes:
        raise CheckpointError(f"{file.name} is {size:,} bytes long; at most {limit_bytes:,} are read.")
    return _parse_object(file.name, file.read_bytes())


def _read_header(file: Path) -> dict[str, StoredTensor]:
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise CheckpointError(f"{file.name} is cut short: its header does not fit into the file.")
        if length > HEADER_LIMIT_BYTES:
            raise CheckpointError(
                f"{file.name} has a header of {length:,} bytes; at most {HEADER_LIMIT_BYTES:,} are read."
            )
        header = _parse_object(file.name, stream.read(length))
    header.pop("__metadata__", None)
    if len(header) > TENSOR_LIMIT:
        raise CheckpointError(f"{file.name} holds {len(header):,} tensors; at most {TENSOR_LIMIT:,} are read.")
    room, end, tensors = size - 8 - length, 0, {}
    for name, fields in header.items():
        tensors[name], last = _checked_tensor(file, name, fields, room)
        end = max(end, last)
    if end != room:
        raise CheckpointError(f"{file.name} holds {room:,} bytes of weights where its header promises {end:,}.")
    return tensors


def _checked_tensor(file: Path, name: str, fields: Any, room: int) -> tuple[StoredTensor, int]:
    """One header entry, and where its bytes end."""
    shown = name[:80]
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise CheckpointError(f"{file.name}: the tensor name {shown!r} is too long or not printable.")
    if not isinstance(fields, dict):
        raise CheckpointError(f"{file.name}: {shown} has no dtype, shape and data_offsets.")
    dtype = str(fields.get("dtype"))
    if dtype not in ELEMENT_BYTES | OTHER_ELEMENT_BYTES:
        raise CheckpointError(f"{file.name}: {shown} has the dtype {dtype[:20]}; weights are F64, F32, F16 or BF16.")
    shape, offsets = _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
    if shape is None or len(shape) > RANK_LIMIT or offsets is None or len(offsets) != 2:
        raise CheckpointError(f"{file.name}: the shape or the place of {shown} is not readable.")
    start, end = offsets
    if end > room:
        raise CheckpointError(f"{file.name} is cut short: {shown} ends at byte {end:,} of {room:,}.")
    if math.prod(shape) * (ELEMENT_BYTES | OTHER_ELEMENT_BYTES)[dtype] != end - start:
        raise CheckpointError(f"{file.name}: {shown} of shape {list(shape)} does not fill its place.")
    return StoredTensor(file, dtype, shape), end


def _sizes(values: Any) -> tuple[int, ...] | None:
    if not isinstance(values, list):
        return None
    sizes = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value >= 0]
    return tuple(sizes) if len(sizes) == len(values) else None


def _read_index(folder: Path) -> dict[str, str]:
    placed = read_json_object(inner_file(folder, INDEX_FILE), HEADER_LIMIT_BYTES).get("weight_map")
    if not isinstance(placed, dict) or not all(isinstance(shard, str) for shard in placed.values()):
        raise CheckpointError(f"{INDEX_FILE} has no weight_map from tensor names to file names.")
    return placed


def _parse_object(name: str, raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw, object_pairs_hook=_without_doubles)
    except (ValueError, RecursionError) as error:
        doubled = str(error) if isinstance(error, _DoubledKey) else "it is not valid JSON"
        raise CheckpointError(f"{name} cannot be read: {doubled}.") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} cannot be read: it must hold one JSON object.")
    return value


class _DoubledKey(ValueError):
    pass


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        doubled = next(key for key in keys if keys.count(key) > 1)
        raise _DoubledKey(f"it declares {doubled[:80]} twice")
    return made


def _explain_missing(folder: Path) -> str:
    if any(folder.glob("*.bin")) or any(folder.glob("*.pt")):
        return (
            "This folder holds pickled weights only; save them as model.safetensors "
            "(save_pretrained writes that), which holds no code."
        )
    return f"This folder has no {SINGLE_FILE} and no {INDEX_FILE}."
