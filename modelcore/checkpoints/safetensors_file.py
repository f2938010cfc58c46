"""The header of a safetensors file, checked before any weight is touched.

    u64 header length | JSON header {name: {dtype, shape, data_offsets}} | the tensors' bytes

Source: the safetensors format, https://github.com/huggingface/safetensors#format; the limits on
headers are ours, well below the library's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.json_object import parse_object
from modelcore.checkpoints.stored import TENSOR_LIMIT, StoredTensor, shown_name

HEADER_LIMIT_BYTES = 16 * 1024 * 1024
LENGTH_BYTES = 8


def read_header(file: Path) -> list[StoredTensor]:
    """The tensors of one file. Raises: CheckpointError naming the file and what is wrong with it."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(LENGTH_BYTES), "little")
        if size < LENGTH_BYTES or length > size - LENGTH_BYTES:
            raise CheckpointError(f"{file.name} is cut short: its header does not fit into the file.")
        if length > HEADER_LIMIT_BYTES:
            raise CheckpointError(
                f"{file.name} has a header of {length:,} bytes; at most {HEADER_LIMIT_BYTES:,} are read."
            )
        header = parse_object(file.name, stream.read(length))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError(f"{file.name}: its __metadata__ is not texts by name.")
    if len(header) > TENSOR_LIMIT:
        raise CheckpointError(f"{file.name} holds {len(header):,} tensors; at most {TENSOR_LIMIT:,} are read.")
    begin = LENGTH_BYTES + length
    tensors = [_tensor(file, name, fields, begin, size - begin) for name, fields in header.items()]
    _require_no_gaps(file, tensors, begin, size)
    return tensors


def _tensor(file: Path, name: str, fields: Any, begin: int, room: int) -> StoredTensor:
    """One header entry; its offsets count from `begin`, behind which the file has `room` bytes."""
    shown = shown_name(file, name)
    if not isinstance(fields, dict):
        raise CheckpointError(f"{file.name}: {shown} has no dtype, shape and data_offsets.")
    shape, offsets = _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
    if shape is None or offsets is None or len(offsets) != 2:
        raise CheckpointError(f"{file.name}: the shape or the place of {shown} is not readable.")
    start, end = offsets
    tensor = StoredTensor(file, name, str(fields.get("dtype")), shape, begin + start)
    if end > room:
        raise CheckpointError(f"{file.name} is cut short: {shown} ends at byte {end:,} of {room:,}.")
    if tensor.size_bytes != end - start:
        raise CheckpointError(f"{file.name}: {shown} of shape {list(shape)} does not fill its place.")
    return tensor


def _require_no_gaps(file: Path, tensors: list[StoredTensor], begin: int, size: int) -> None:
    """The format leaves no byte unused and uses none twice."""
    end = begin
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != end:
            raise CheckpointError(f"{file.name}: {tensor.name[:80]} does not begin where the tensor before it ends.")
        end = tensor.end
    if end != size:
        raise CheckpointError(
            f"{file.name} holds {size - begin:,} bytes of weights where its header promises {end - begin:,}."
        )


def _sizes(values: Any) -> tuple[int, ...] | None:
    if not isinstance(values, list):
        return None
    sizes = [value for value in values if isinstance(value, int) and not isinstance(value, bool) and value >= 0]
    return tuple(sizes) if len(sizes) == len(values) else None
