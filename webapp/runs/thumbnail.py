"""A run as a small picture: the overview of its surest head, as PNG. Written here: it is a few lines of zlib."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.frame import Frame

INK = (90, 96, 184)
"""--bar of css/tokens.css, at any strength on a transparent ground: it stands on both themes' paper."""


def thumbnail(frames: Iterable[StoredFrame]) -> bytes:
    """One transparent pixel where nothing has been told yet."""
    best: tuple[float, Frame, int] | None = None
    for stored in frames:
        if frame.read_header(stored.frame)[0]["type"] != "site":
            continue
        read = frame.decode(stored.frame)
        heads = read.event.heads  # type: ignore[attr-defined]
        sure = np.asarray(read.arrays.get("confidence", np.zeros(heads, np.float32)))
        head = int(sure.argmax())
        if best is None or sure[head] > best[0]:
            best = (float(sure[head]), read, head)
    if best is None:
        return png(np.zeros((1, 1), np.uint8))
    _, read, head = best
    return png(np.asarray(read.arrays["overview"])[head])


def png(strengths: np.ndarray[Any, np.dtype[np.uint8]]) -> bytes:
    """Source: PNG (ISO/IEC 15948), colour type 3: a palette of one ink with 256 strengths."""
    height, width = strengths.shape
    rows = b"".join(b"\0" + row.tobytes() for row in strengths)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"PLTE", bytes(INK) * 256),
            _chunk(b"tRNS", bytes(range(256))),
            _chunk(b"IDAT", zlib.compress(rows, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
