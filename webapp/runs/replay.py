"""What a run's stored frames say, for readers who want facts and not frames: the HTTP API."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from webapp import stream
from workers.protocol import frame
from workers.protocol.archive import StoredFrame
from workers.protocol.events import ENDINGS
from workers.protocol.frame import Frame


@dataclass
class Replay:
    """A run's events as they stand on disk, folded; a restart voids what came before it."""

    tokens: list[dict[str, Any]] = field(default_factory=list)
    sites: list[dict[str, Any]] = field(default_factory=list)
    ending: dict[str, Any] | None = None

    def site(self, name: str) -> dict[str, Any] | None:
        return next((site for site in self.sites if site["site"] == name), None)


def replay(run: str) -> Replay:
    """Tokens, sites and ending of a run. Reads its stored file."""
    return replay_of(stream.stored_frames(run))


def replay_of(frames: Iterable[StoredFrame]) -> Replay:
    told = Replay()
    for stored in frames:
        header, _ = frame.read_header(stored.frame)
        match header["type"]:
            case "started":
                told = Replay()
            case "tokens":
                # A run that writes tells its text twice: what it goes on from, and what it has become.
                others = [token for token in told.tokens if token["sequence"] != header["sequence"]]
                told.tokens = others + _tokens(frame.decode(stored.frame), header)
            case "step" if header["finished"] != "end_token":
                written = {"sequence": "decoder", "id": header["id"], "text": header["text"]}
                told.tokens.append({**written, "start": 0, "end": 0, "special": False})
            case "site":
                told.sites.append(_site(frame.decode(stored.frame), header))
            case ending if ending in ENDINGS:
                told.ending = header
    return told


def probabilities(run: str) -> Frame | None:
    """The run's `probabilities` frame, None where it has not come yet. Reads its stored file."""
    return probabilities_of(stream.stored_frames(run))


def probabilities_of(frames: Iterable[StoredFrame]) -> Frame | None:
    found = None
    for stored in frames:
        if frame.read_header(stored.frame)[0]["type"] == "probabilities":
            found = frame.decode(stored.frame)
    return found


def _site(read: Frame, header: dict[str, Any]) -> dict[str, Any]:
    """A site with what is told of each of its heads; a run stored before heads were labelled has no labels."""
    named = ("site", "stack", "kind", "layer", "heads", "queries", "keys", "causal")
    measures = np.asarray(read.arrays["measures"]).reshape(len(header["measures"]), header["heads"]).tolist()
    labelled = {name: np.asarray(read.arrays.get(name, [])).tolist() for name in ("margin", "confidence")}
    return {
        **{name: header[name] for name in named},
        "measures": dict(zip(header["measures"], measures, strict=True)),
        "labels": header.get("labels", []),
        **labelled,
    }


def _tokens(read: Frame, header: dict[str, Any]) -> list[dict[str, Any]]:
    ids, offsets = (np.asarray(read.arrays[name]).tolist() for name in ("ids", "offsets"))
    return [
        {
            "sequence": header["sequence"],
            "id": id_,
            "text": text,
            "start": start,
            "end": end,
            "special": special,
        }
        for id_, text, (start, end), special in zip(ids, header["texts"], offsets, header["special"], strict=True)
    ]
