"""Where a tensor lies in a file of weights, whatever the format that says so."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from modelcore.checkpoints.error import CheckpointError

TENSOR_LIMIT = 100_000
NAME_LIMIT = 512
RANK_LIMIT = 8

# What is read at once: small enough to be in the cache still when it is looked at.
PIECE_BYTES = 1 << 20

# The dtypes that weights come in.
WEIGHT_DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
# Those of stored masks and counters, which only tensors that nobody reads may have.
OTHER_DTYPES = {
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
DTYPES = WEIGHT_DTYPES | OTHER_DTYPES


@dataclass(frozen=True)
class StoredTensor:
    """A dense tensor, row by row and little-endian, from byte `start` of the file on.

    Raises: CheckpointError naming the file and the tensor if no model has such a one.
    """

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int

    def __post_init__(self) -> None:
        shown = shown_name(self.file, self.name)
        if self.dtype not in DTYPES:
            raise CheckpointError(
                f"{self.file.name}: {shown} has the dtype {self.dtype[:20]}; weights are F64, F32, F16 or BF16."
            )
        if len(self.shape) > RANK_LIMIT:
            raise CheckpointError(
                f"{self.file.name}: {shown} has {len(self.shape)} axes; at most {RANK_LIMIT} are read."
            )

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * DTYPES[self.dtype].itemsize

    @property
    def end(self) -> int:
        """The byte after the last."""
        return self.start + self.size_bytes

    def read(self, see: Callable[[Tensor], None] = lambda piece: None) -> Tensor:
        """The values, in memory of their own.

        `see` is shown every piece of them, flat, while it is in the cache still; by two threads where there is much.
        Raises: CheckpointError if the file has become shorter; whatever `see` raises.
        """
        tensor = torch.empty(self.shape, dtype=DTYPES[self.dtype])
        flat = tensor.view(-1)
        if self.size_bytes < 2 * PIECE_BYTES:
            self._fill(flat, self.start, see)
            return tensor
        half = len(flat) // 2
        with ThreadPoolExecutor(1) as thread:
            first = thread.submit(self._fill, flat[:half], self.start, see)
            self._fill(flat[half:], self.start + half * flat.itemsize, see)
            first.result()
        return tensor

    def _fill(self, flat: Tensor, start: int, see: Callable[[Tensor], None]) -> None:
        with self.file.open("rb", buffering=0) as stream:
            stream.seek(start)
            for piece in flat.split(PIECE_BYTES // flat.itemsize):
                room = piece.view(torch.uint8).numpy().data
                while room:
                    count = stream.readinto(room)
                    if not count:
                        raise CheckpointError(f"{self.file.name} was cut short while {self.name[:80]} was read.")
                    room = room[count:]
                see(piece)


def shown_name(file: Path, name: str) -> str:
    """A tensor's name as a message shows it. Raises: CheckpointError if it is too long or not printable."""
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise CheckpointError(f"{file.name}: the tensor name {name[:80]!r} is too long or not printable.")
    return name[:80]
