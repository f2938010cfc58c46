"""Where a tensor lies in a file of weights, whatever the format that says so. Imports no torch: headers are checked
before anything large is loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelcore.checkpoints.error import CheckpointError

if TYPE_CHECKING:
    from torch import Tensor

TENSOR_LIMIT = 100_000
NAME_LIMIT = 512
RANK_LIMIT = 8

# The dtypes that weights come in. The others are those of stored masks and counters, which only tensors that nobody
# reads may have.
WEIGHT_DTYPES = frozenset(["F64", "F32", "F16", "BF16"])
ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


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
        if self.dtype not in ITEM_BYTES:
            raise CheckpointError(
                f"{self.file.name}: {shown} has the dtype {self.dtype[:20]}; weights are F64, F32, F16 or BF16."
            )
        if len(self.shape) > RANK_LIMIT:
            raise CheckpointError(
                f"{self.file.name}: {shown} has {len(self.shape)} axes; at most {RANK_LIMIT} are read."
            )

    @property
    def size_bytes(self) -> int:
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]

    @property
    def end(self) -> int:
        """The byte after the last."""
        return self.start + self.size_bytes

    def read(self, see: Callable[[Tensor], None] = lambda piece: None) -> Tensor:
        """The values, in memory of their own.

        `see` is shown every piece of them, flat, while it is in the cache still; by two threads where there is much.
        Raises: CheckpointError if the file has become shorter; whatever `see` raises.
        """
        # Imports torch, for which a check of headers need not wait.
        from modelcore.checkpoints.tensor_file import read_tensor

        return read_tensor(self, see)


def shown_name(file: Path, name: str) -> str:
    """A tensor's name as a message shows it. Raises: CheckpointError if it is too long or not printable."""
    if len(name) > NAME_LIMIT or not name.isprintable():
        raise CheckpointError(f"{file.name}: the tensor name {name[:80]!r} is too long or not printable.")
    return name[:80]
