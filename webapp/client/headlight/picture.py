"""A map as a small picture within a page."""

from __future__ import annotations

import base64
import html
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

INK = (90, 96, 184)
SHOWN_PX = 56


def heat_map(weights: NDArray[np.float32], title: str) -> str:
    """Square roots, as the site's own maps have them: faint weights stay visible."""
    top = float(weights.max(initial=0)) or 1.0
    strengths = np.round(255 * np.sqrt(np.clip(weights / top, 0, 1))).astype(np.uint8)
    source = base64.b64encode(png(strengths)).decode()
    style = f"width:{SHOWN_PX}px;height:{SHOWN_PX}px;margin:1px;border:1px solid #8884;image-rendering:pixelated"
    name = html.escape(title)
    return f'<img alt="{name}" title="{name}" style="{style}" src="data:image/png;base64,{source}">'


def png(strengths: NDArray[np.uint8]) -> bytes:
    """One ink in 256 strengths on a transparent ground. Source: PNG (ISO/IEC 15948), colour type 3."""
    height, width = strengths.shape
    rows = b"".join(b"\0" + row.tobytes() for row in strengths)
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", bytes(INK) * 256),
            _chunk(b"tRNS", bytes(range(256))),
            _chunk(b"IDAT", zlib.compress(rows)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
