"""A run as a small picture: the overview of the head that its page opens with.

PNG is written here: it is a few lines of zlib.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.events import Site

Overview = np.ndarray[Any, np.dtype[np.uint8]]
Told = tuple[Site, Overview, np.ndarray[Any, np.dtype[np.float32]]]
"""A site, its overviews, and its measures as [measures, heads]."""

INK = (90, 96, 184)
"""--bar of css/tokens.css, at any strength on a transparent ground: it stands on both themes' paper."""

SHOWN_PX = 48
"""As large as pages show it. Smaller pictures are made so large here: a browser only ever makes them smaller."""


def thumbnail(frames: Iterable[StoredFrame]) -> bytes:
    """One transparent pixel where nothing has been told yet."""
    sites = [_told(stored) for stored in frames if frame.read_header(stored.frame)[0]["type"] == "site"]
    if not sites:
        return png(np.zeros((1, 1), np.uint8))
    site, overview = _telling_head(sites)
    times = -(-SHOWN_PX // max(overview.shape))
    return png(_strengths(site, overview).repeat(times, axis=0).repeat(times, axis=1))


def _told(stored: StoredFrame) -> Told:
    site, arrays = frame.decode(stored.frame)
    assert isinstance(site, Site)
    return site, np.asarray(arrays["overview"]), np.asarray(arrays["measures"])


def _telling_head(sites: Sequence[Told]) -> tuple[Site, Overview]:
    """The head that the page opens such a run with (`static/src/state/selection.ts`), and its overview."""
    is_pair = any(site.kind == "cross" for site, _, _ in sites)
    telling = "induction" if any(site.causal for site, _, _ in sites) else "previous_token"
    best: tuple[float, Site, Overview] | None = None
    for site, overviews, measures_MH in sites:
        if is_pair and site.kind != "cross":
            continue
        by_name = dict(zip(site.measures, measures_MH, strict=True))
        unknown_H = np.full(site.heads, np.nan)
        values_H = -by_name.get("entropy", unknown_H) if is_pair else by_name.get(telling, unknown_H)
        values_H = np.where(np.isnan(values_H), -np.inf, values_H)
        head = int(values_H.argmax())
        if best is None or values_H[head] > best[0]:
            best = (float(values_H[head]), site, overviews[head])
    assert best is not None
    return best[1], best[2]


def _strengths(site: Site, overview: Overview) -> Overview:
    """Of a text that looks at itself the first token is not in the scale, as on the page."""
    most = float(overview[:, 1 if site.kind == "self" else 0 :].max(initial=0)) or 255.0
    strengths: Overview = np.minimum(255, np.rint(overview * (255 / most))).astype(np.uint8)
    return strengths


def png(strengths: Overview) -> bytes:
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
