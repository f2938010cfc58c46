"""A run as one HTML file: its tokens and every head's overview inside, drawn by a script inside. Works offline."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from django.utils.html import escape

from workers.protocol import frame
from workers.protocol.archive import StoredFrame

HERE = Path(__file__).parent


def page(title: str, frames: Iterable[StoredFrame], address: str) -> str:
    """Overviews in 8 bits, as the run told them: up to 64 tokens each weight is there, rounded; beyond, the largest of
    each cell. `address` is where the run lies.
    """
    told: dict[str, Any] = {"title": title, "address": address, "sequences": {}, "sites": []}
    for stored in frames:
        header, _ = frame.read_header(stored.frame)
        if header["type"] == "started":
            told |= {"model": header["model"], "sequences": {}, "sites": []}
        elif header["type"] == "tokens":
            told["sequences"][header["sequence"]] = header["texts"]
        elif header["type"] == "site":
            told["sites"].append(_site(header, frame.decode(stored.frame).arrays))
    return "".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
            # The file asks nobody for anything, whatever its text says.
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
            "script-src 'unsafe-inline'; img-src data:\">\n",
            f"<title>{escape(title)}</title>\n<style>\n{_read('viewer.css')}</style>\n</head>\n<body>\n",
            f'<script type="application/json" id="run">{_json(told)}</script>\n',
            f'<main id="viewer"></main>\n<script>\n{_read("viewer.js")}</script>\n</body>\n</html>\n',
        ]
    )


def _site(header: dict[str, Any], arrays: Any) -> dict[str, Any]:
    overview = np.asarray(arrays["overview"])
    return {
        **{name: header[name] for name in ("site", "stack", "kind", "layer", "heads", "queries", "keys", "cell")},
        "labels": header.get("labels", []),
        "rows": overview.shape[1],
        "cols": overview.shape[2],
        "scale": np.asarray(arrays["scale"]).tolist(),
        "overview": base64.b64encode(np.asarray(overview).tobytes()).decode(),
    }


def _json(told: dict[str, Any]) -> str:
    """Within a script element: nothing in it may end that."""
    text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
