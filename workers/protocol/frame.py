"""A frame: one event and its arrays as bytes, read in place by Python and by the browser.

    b"HLF" version:u8 | header length:u32 | header, JSON padded with spaces | array | array | ...

Everything is little endian and every array starts at a multiple of 8 bytes, so that a typed view needs no copy. The
header is the event's fields plus `arrays`: name -> dtype, shape and offset, counted from the end of the header.
"""

from __future__ import annotations

import json
import math
import struct
import sys
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from workers.protocol.event import Event
from workers.protocol.events import ENDINGS, from_header

MAGIC = b"HLF"
VERSION = 1
ALIGNMENT = 8
PREFIX = struct.Struct("<3sBI")
FORMATS: dict[str, Literal["B", "H", "i", "f"]] = {"u8": "B", "u16": "H", "i32": "i", "f32": "f"}
DTYPES: dict[str, str] = {format: dtype for dtype, format in FORMATS.items()}

assert sys.byteorder == "little", "frames are read in place, which needs a little-endian machine"


class FrameError(ValueError):
    """These bytes are not a frame that this version can read."""


class Frame(NamedTuple):
    """What `decode` gives: the event, and its arrays as shaped memoryviews (numpy.asarray takes them as they are)."""

    event: Event
    arrays: dict[str, memoryview[Any]]


def encode(event: Event, arrays: Mapping[str, Any] | None = None) -> bytes:
    """The bytes of an event. `arrays` are C-contiguous buffers (numpy arrays, say) of the declared dtype and rank.

    Raises: FrameError if the arrays are not the ones that the event declares.
    """
    arrays = arrays or {}
    if arrays.keys() != event.arrays.keys():
        raise FrameError(f"{event.type} carries the arrays {sorted(event.arrays)}, not {sorted(arrays)}")
    header = event.header()
    described: dict[str, dict[str, Any]] = {}
    chunks: list[bytes | memoryview] = []
    offset = 0
    for name, array in arrays.items():
        view = memoryview(array)
        spec = event.arrays[name]
        dtype = DTYPES.get(view.format)
        if dtype != spec.dtype or view.ndim != len(spec.axes) or not view.c_contiguous:
            raise FrameError(
                f"{event.type}.{name} must be a contiguous {spec.dtype} array over {spec.axes}, "
                f"not {dtype or view.format} of shape {view.shape}"
            )
        padding = -offset % ALIGNMENT
        chunks += [bytes(padding), view.cast("B") if view.nbytes else b""]
        offset += padding
        described[name] = {"dtype": dtype, "shape": list(view.shape or ()), "offset": offset}
        offset += view.nbytes
    return b"".join([_packed({**header, "arrays": described}), *chunks])


def retold(data: bytes, **fields: Any) -> bytes:
    """The same frame with other values in its header. Arrays are counted from the header's end, so they stay."""
    header, end = read_header(data)
    return _packed({**header, **fields}) + data[end:]


def read_header(data: bytes | memoryview) -> tuple[dict[str, Any], int]:
    """The JSON header and where the arrays start, without touching the arrays."""
    try:
        magic, version, length = PREFIX.unpack_from(data)
    except struct.error:
        raise FrameError(f"a frame has at least {PREFIX.size} bytes; these are {len(data)}") from None
    if magic != MAGIC:
        raise FrameError("a frame starts with HLF; these bytes do not")
    if version != VERSION:
        raise FrameError(f"frame version {version} is unknown; this reader knows version {VERSION}")
    end = PREFIX.size + length
    if len(data) < end:
        raise FrameError(f"the frame's header ends at byte {end}, its data at byte {len(data)}")
    try:
        header = json.loads(bytes(data[PREFIX.size : end]))
    except ValueError as error:
        raise FrameError(f"the frame's header is not JSON: {error}") from None
    return header, end


def ends_run(data: bytes | memoryview) -> bool:
    """Whether this frame is a run's last."""
    return read_header(data)[0].get("type") in ENDINGS


def decode(data: bytes | memoryview) -> Frame:
    """The event and its arrays; the arrays are views of `data`, nothing is copied.

    Raises: FrameError, which says what is wrong with the bytes.
    """
    header, start = read_header(data)
    described = header.pop("arrays", {})
    try:
        event = from_header(header)
    except (KeyError, TypeError) as error:
        raise FrameError(f"the frame's header describes no known event: {error}") from None
    body = memoryview(data)[start:]
    return Frame(event, {name: _view(body, name, array) for name, array in described.items()})


def _packed(header: dict[str, Any]) -> bytes:
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-(PREFIX.size + len(text)) % ALIGNMENT)
    return PREFIX.pack(MAGIC, VERSION, len(text)) + text


def _view(body: memoryview, name: str, array: dict[str, Any]) -> memoryview[Any]:
    try:
        format, shape, offset = FORMATS[array["dtype"]], tuple(array["shape"]), array["offset"]
    except (KeyError, TypeError):
        raise FrameError(f"array {name} needs a dtype of {sorted(FORMATS)}, a shape and an offset") from None
    size_bytes = math.prod(shape) * struct.calcsize(format)
    part = body[offset : offset + size_bytes]
    if offset < 0 or len(part) != size_bytes:
        raise FrameError(f"array {name} reaches past the end of the frame")
    # A memoryview cannot be cast to a shape with a zero in it; an empty array is given flat.
    return part.cast("B").cast(format, shape) if size_bytes else part.cast("B").cast(format)
