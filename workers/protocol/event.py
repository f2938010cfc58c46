"""What all events of a run have in common, and how the arrays that travel with one are described."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, NamedTuple

DType = Literal["u8", "u16", "i32", "f32"]


class ArraySpec(NamedTuple):
    """One array of an event: its element type and the names of its axes, in order.

    `later` ones are always sent, but runs stored before they were thought of lack them.
    """

    dtype: DType
    axes: tuple[str, ...]
    later: bool = False


@dataclass(frozen=True, kw_only=True)
class Event:
    """What happened in a run. `seq` counts 1..N within the run and is given by the feed, not by the task.

    A field with a default came later: runs stored before lack it, and its default says so.
    """

    type: ClassVar[str] = ""
    arrays: ClassVar[dict[str, ArraySpec]] = {}
    ends_run: ClassVar[bool] = False

    seq: int = 0

    def header(self) -> dict[str, Any]:
        return {"type": self.type, **asdict(self)}
