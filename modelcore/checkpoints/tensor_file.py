"""Reads stored tensors into memory of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.stored import StoredTensor

# What is read at once: small enough to be in the cache still when it is looked at.
PIECE_BYTES = 1 << 20

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def read_tensor(stored: StoredTensor, see: Callable[[Tensor], None]) -> Tensor:
    """As `StoredTensor.read` says."""
    tensor = torch.empty(stored.shape, dtype=DTYPES[stored.dtype])
    flat = tensor.view(-1)
    if stored.size_bytes < 2 * PIECE_BYTES:
        _fill(stored, flat, stored.start, see)
        return tensor
    half = len(flat) // 2
    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(_fill, stored, flat[:half], stored.start, see)
        _fill(stored, flat[half:], stored.start + half * flat.itemsize, see)
        first.result()
    return tensor


def pieces(stored: StoredTensor) -> Iterator[Tensor]:
    """The values in order, a flat piece at a time, all in the same memory."""
    dtype = DTYPES[stored.dtype]
    room, left, start = torch.empty(PIECE_BYTES // dtype.itemsize, dtype=dtype), stored.size_bytes, stored.start
    while left:
        piece = room[: min(left // dtype.itemsize, len(room))]
        _fill(stored, piece, start, lambda _: None)
        yield piece
        left, start = left - piece.nbytes, start + piece.nbytes


def _fill(stored: StoredTensor, flat: Tensor, start: int, see: Callable[[Tensor], None]) -> None:
    with stored.file.open("rb", buffering=0) as stream:
        stream.seek(start)
        for piece in flat.split(PIECE_BYTES // flat.itemsize):
            room = piece.view(torch.uint8).numpy().data
            while room:
                count = stream.readinto(room)
                if not count:
                    raise CheckpointError(f"{stored.file.name} was cut short while {stored.name[:80]} was read.")
                room = room[count:]
            see(piece)
