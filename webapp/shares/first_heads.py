"""All heads of a share in little. Its page brings them along and draws them before the frames are here.

A head's values are what its colours say: the share of the weight that takes the last colour. They are told as overviews
are, share = (byte / 255) ** 2, of all sites one after the other as [heads, rows, cols].
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.events import Site, Tokens

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Floats = np.ndarray[Any, np.dtype[np.float32]]

MOST_BYTES = 80_000
"""Of a model with more heads they are coarser."""
NAME = "first_heads.json"


def keep(folder: Path, frames: Iterable[StoredFrame]) -> int:
    """Returns the bytes."""
    return (folder / NAME).write_bytes(json.dumps(first_heads(frames), separators=(",", ":")).encode())


def read(folder: Path) -> str:
    """As JSON; "" for a share that was made before there were such."""
    try:
        return (folder / NAME).read_text()
    except FileNotFoundError:
        return ""


def first_heads(frames: Iterable[StoredFrame]) -> dict[str, Any]:
    sites, special = _told(frames)
    overviews = {site.site: _strengths(site, overview, scale, special) for site, overview, scale in sites}
    by = 1
    while sum(_pooled_size(overview, by) for overview in overviews.values()) > MOST_BYTES:
        by += 1
    pooled = {name: _pooled(overview, by) for name, overview in overviews.items()}
    described = [
        {
            **{"site": site.site, "heads": site.heads, "rows": pooled[site.site].shape[1]},
            **{"cols": pooled[site.site].shape[2], "cell": site.cell * by},
            "reach": site.keys - site.queries if site.causal else None,
        }
        for site, _, _ in sites
    ]
    strengths = b"".join(each.tobytes() for each in pooled.values())
    return {"sites": described, "strengths": base64.b64encode(strengths).decode()}


def _told(frames: Iterable[StoredFrame]) -> tuple[list[tuple[Site, Bytes, Floats]], dict[str, list[bool]]]:
    """Each site as it was told last, and which tokens of each sequence are special."""
    sites: dict[str, tuple[Site, Bytes, Floats]] = {}
    special: dict[str, list[bool]] = {}
    for stored in frames:
        if frame.read_header(stored.frame)[0]["type"] not in ("tokens", "site"):
            continue
        event, arrays = frame.decode(stored.frame)
        if isinstance(event, Tokens):
            special[event.sequence] = event.special
        elif isinstance(event, Site):
            sites[event.site] = (event, np.asarray(arrays["overview"]), np.asarray(arrays["scale"]))
    return list(sites.values()), special


def _strengths(site: Site, overview: Bytes, scale: Floats, special: dict[str, list[bool]]) -> Bytes:
    """As the page colours them by default (`static/src/tiles/tops.ts`): special tokens, and the first of a text that
    looks at itself, are left out of the scale.
    """
    counts = np.ones(overview.shape[2], dtype=bool)
    if site.cell == 1:
        keys = special.get("encoder" if site.kind == "cross" else site.stack, [])
        counts[: len(keys)] = ~np.array(keys[: len(counts)], dtype=bool)
    if site.kind == "self":
        counts[:1] = False
    most = overview[:, :, counts].max(axis=(1, 2), initial=0).astype(np.float32)
    top = np.where(most > 0, most, 255)[:, None, None]
    strengths: Bytes = np.minimum(255, np.rint(overview * (255 / top))).astype(np.uint8)
    return strengths


def _pooled_size(overview: Bytes, by: int) -> int:
    heads, rows, cols = overview.shape
    return heads * -(-rows // by) * -(-cols // by)


def _pooled(overview: Bytes, by: int) -> Bytes:
    """The largest of each by x by cells."""
    heads, rows, cols = overview.shape
    padded = np.zeros((heads, -(-rows // by) * by, -(-cols // by) * by), dtype=np.uint8)
    padded[:, :rows, :cols] = overview
    blocks = padded.reshape(heads, padded.shape[1] // by, by, padded.shape[2] // by, by)
    found: Bytes = blocks.max(axis=(2, 4))
    return found
