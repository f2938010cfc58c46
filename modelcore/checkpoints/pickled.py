"""Where the tensors lie in a state dict that `torch.save` wrote, without unpickling it.

    since torch 1.6   a zip: NAME/data.pkl, the pickle | NAME/data/KEY, the numbers of each storage
    before            five pickles: magic number, version, system, state dict, keys |
                      for each key: u64 count, its numbers

`torch.load(weights_only=True)` runs no code either, but believes what a pickle says of its tensors: files
of a kilobyte made it crash or ask for all memory (CVE-2025-62164). Here only dense tensors are known,
inside storages that lie in the file, and their bytes are read as those of a safetensors file are.

Source: torch/serialization.py, `_save` and `_legacy_save`.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.pickle_table import Storage, View, read_table
from modelcore.checkpoints.stored import ITEM_BYTES, RANK_LIMIT, TENSOR_LIMIT, StoredTensor, shown_name

TABLE_LIMIT_BYTES = 16 * 1024 * 1024
# How many names may share one run of numbers; T5 ties four.
TIED_LIMIT = 8

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
COUNT_BYTES = 8

_ZIP_SIGNATURE = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30

# Where the numbers of a storage begin, once it is known that they all lie in the file.
Locate = Callable[[Storage], int]


def read_pickled(file: Path) -> list[StoredTensor]:
    """The tensors of one file. Raises: CheckpointError naming the file and the callable or the tensor."""
    with file.open("rb") as stream:
        signature = stream.read(len(_ZIP_SIGNATURE))
        stream.seek(0)
        if signature == _ZIP_SIGNATURE:
            table, locate = _read_zip(file, stream)
        else:
            table, locate = _read_legacy(file, stream)
    if not isinstance(table, dict):
        raise CheckpointError(f"{file.name} holds no state dict, which gives each tensor a name.")
    if len(table) > TENSOR_LIMIT:
        raise CheckpointError(f"{file.name} holds {len(table):,} tensors; at most {TENSOR_LIMIT:,} are read.")
    tensors = [_tensor(file, name, view, locate) for name, view in table.items()]
    _require_disjoint(file, tensors)
    return tensors


def _tensor(file: Path, name: str, view: Any, locate: Locate) -> StoredTensor:
    shown = shown_name(file, name)
    if not isinstance(view, View):
        raise CheckpointError(
            f"{file.name}: {shown} is no tensor; save the state dict alone, torch.save(model.state_dict(), …)."
        )
    if len(view.shape) > RANK_LIMIT:
        raise CheckpointError(f"{file.name}: {shown} has {len(view.shape)} axes; at most {RANK_LIMIT} are read.")
    dense = _dense_strides(view.shape)
    if any(size > 1 and stride != own for size, stride, own in zip(view.shape, view.strides, dense, strict=True)):
        raise CheckpointError(f"{file.name}: {shown} is not stored row by row; save it after .contiguous().")
    if view.offset + math.prod(view.shape) > view.storage.count:
        raise CheckpointError(f"{file.name}: {shown} of shape {list(view.shape)} leaves its storage.")
    dtype = view.storage.dtype
    return StoredTensor(file, name, dtype, view.shape, locate(view.storage) + view.offset * ITEM_BYTES[dtype])


def _dense_strides(shape: tuple[int, ...]) -> list[int]:
    return [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]


def _require_disjoint(file: Path, tensors: list[StoredTensor]) -> None:
    """Tensors share all their bytes, being tied, or none, so that no small file fills the memory."""
    places = Counter((tensor.start, tensor.end) for tensor in tensors if tensor.size_bytes)
    end = 0
    for place in sorted(places):
        if place[0] < end or places[place] > TIED_LIMIT:
            name = next(tensor.name for tensor in tensors if (tensor.start, tensor.end) == place)
            raise CheckpointError(
                f"{file.name}: {name[:80]} shares some of its bytes with other tensors; save it after .clone()."
            )
        end = place[1]


def _read_zip(file: Path, stream: io.BufferedReader) -> tuple[Any, Locate]:
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise CheckpointError(f"{file.name} is cut short or damaged: it is no readable zip.") from error
    by_name = {entry.filename.partition("/")[2]: entry for entry in entries}
    if len(by_name) != len(entries) or "data.pkl" not in by_name or "constants.pkl" in by_name:
        raise CheckpointError(
            f"{file.name} is no state dict that torch.save wrote; TorchScript programs are not read.",
            code="unsafe_pickle",
            field=file.name,
        )
    places = {name: _place(file, stream, entry) for name, entry in by_name.items()}

    def content(name: str) -> bytes:
        start, size = places[name]
        if size > TABLE_LIMIT_BYTES:
            raise CheckpointError(
                f"{file.name}: its {name} has {size:,} bytes; at most {TABLE_LIMIT_BYTES:,} are read."
            )
        stream.seek(start)
        return stream.read(size)

    if "byteorder" in places and content("byteorder") != b"little":
        raise CheckpointError(f"{file.name} is not little-endian; save it again on a usual machine.")

    def locate(storage: Storage) -> int:
        start, size = places.get(f"data/{storage.key}", (0, None))
        if size != storage.count * ITEM_BYTES[storage.dtype]:
            raise _wrong_storage(file, storage)
        return start

    return read_table(io.BytesIO(content("data.pkl")), file.name), locate


def _place(file: Path, stream: io.BufferedReader, entry: zipfile.ZipInfo) -> tuple[int, int]:
    """Where the bytes of a zip's entry begin, and how many there are.

    Source: PKWARE's APPNOTE.TXT, 4.3.7: the local header ends with a name and an extra field of stated lengths.
    """
    begin, size = entry.header_offset, file.stat().st_size
    header = b""
    if 0 <= begin < size:  # Where the zip's end is damaged, it may lie before the file.
        stream.seek(begin)
        header = stream.read(_LOCAL_HEADER_BYTES)
    start = begin + _LOCAL_HEADER_BYTES + _u16(header, 26) + _u16(header, 28)
    is_plain = entry.compress_type == zipfile.ZIP_STORED and entry.compress_size == entry.file_size
    if not header.startswith(_ZIP_SIGNATURE) or not is_plain or start + entry.file_size > size:
        raise CheckpointError(f"{file.name}: its entry {entry.filename[:80]!r} is compressed, or leaves the file.")
    return start, entry.file_size


def _u16(raw: bytes, place: int) -> int:
    return int.from_bytes(raw[place : place + 2], "little")


def _read_legacy(file: Path, stream: io.BufferedReader) -> tuple[Any, Locate]:
    head = io.BytesIO(stream.read(TABLE_LIMIT_BYTES))
    if read_table(head, file.name) != LEGACY_MAGIC or read_table(head, file.name) != LEGACY_VERSION:
        raise CheckpointError(f"{file.name} is no state dict that torch.save wrote.")
    system, table, keys = (read_table(head, file.name) for _ in range(3))
    if not isinstance(system, dict) or system.get("little_endian") is not True or not isinstance(keys, list):
        raise CheckpointError(f"{file.name} is not little-endian, or its list of storages is damaged.")
    dtypes = {view.storage.key: view.storage.dtype for view in _views(table)}
    places: dict[str, tuple[int, int]] = {}
    position, size = head.tell(), file.stat().st_size
    for key in keys:
        if not isinstance(key, str) or key not in dtypes:
            raise CheckpointError(f"{file.name} holds a storage that no tensor uses.")
        stream.seek(position)
        count = int.from_bytes(stream.read(COUNT_BYTES), "little")
        places[key] = position + COUNT_BYTES, count
        position += COUNT_BYTES + count * ITEM_BYTES[dtypes[key]]
        if position > size:
            raise CheckpointError(f"{file.name} is cut short: its storages do not fit into it.")
    if position != size:
        raise CheckpointError(f"{file.name} is longer than its storages.")

    def locate(storage: Storage) -> int:
        start, count = places.get(storage.key, (0, None))
        if count != storage.count or dtypes[storage.key] != storage.dtype:
            raise _wrong_storage(file, storage)
        return start

    return table, locate


def _wrong_storage(file: Path, storage: Storage) -> CheckpointError:
    return CheckpointError(f"{file.name}: the storage {storage.key[:20]!r} is missing or not of its stated size.")


def _views(table: Any) -> Iterator[View]:
    return (value for value in (table.values() if isinstance(table, dict) else ()) if isinstance(value, View))
