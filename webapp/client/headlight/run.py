"""A run: its tokens, its heads and their maps."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from headlight.errors import HeadlightError
from headlight.picture import heat_map
from headlight.progress import Progress
from headlight.share import Share
from headlight.view import Partner, View
from headlight.wire import Wire

Reading = Literal["attention", "value", "gradient", "rollout", "flow"]
Audience = Literal["unlisted", "signed_in", "class"]
ENDED = ("finished", "failed", "cancelled")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 2.0
MOST_SHOWN = 64
"""Heads that a notebook shows; each is a request."""


@dataclass(frozen=True)
class Token:
    """`start` and `end` count characters of the text, end exclusive."""

    text: str
    id: int
    sequence: str
    start: int
    end: int
    special: bool

    def __repr__(self) -> str:
        return repr(self.text)


@dataclass(frozen=True)
class NextToken:
    text: str
    id: int
    probability: float


class Run:
    """What a model did with a text. Shows itself in a notebook."""

    def __init__(self, wire: Wire, id: str) -> None:
        self._wire = wire
        self._ended: dict[str, Any] | None = None
        self.id = id

    def __repr__(self) -> str:
        return f"<headlight.Run {self.id} at {self.url}>"

    @property
    def url(self) -> str:
        """Its page."""
        return f"{self._wire.url}/runs/{self.id}"

    @property
    def state(self) -> str:
        """queued, running, finished, failed or cancelled. Asks the site, until it has ended."""
        return str(self._told["state"])

    @property
    def model(self) -> str:
        return str(self._told["model"])

    @property
    def tokens(self) -> list[Token]:
        return [Token(**token) for token in self._told["tokens"]]

    @property
    def picture(self) -> str | None:
        """The picture that it reads, by its hash."""
        picture: str | None = self._told["picture"]
        return picture

    @property
    def text(self) -> str:
        """Of a run that writes all of it, else what was read."""
        last = self.tokens[-1].sequence if self.tokens else "decoder"
        written = "".join(token.text for token in self.tokens if token.sequence == last and not token.special)
        given: str | None = self._told["text"]
        return given if self._told["kind"] == "trace" and given is not None else written

    @property
    def sites(self) -> list[str]:
        """Where attention happens: "decoder.self.0" and so on."""
        return [site["site"] for site in self._told["sites"]]

    def wait(self, *, timeout_s: float | None = None, progress: bool = False) -> Run:
        """Until it has ended. Raises: HeadlightError where it failed; TimeoutError."""
        wait_s = FIRST_WAIT_S
        began = time.monotonic()
        with Progress(progress) as bar:
            while (told := self._told)["state"] not in ENDED:
                bar.show(told["state"], len(told["sites"]), len(told["tokens"]))
                if timeout_s is not None and time.monotonic() - began > timeout_s:
                    raise TimeoutError(f"{self.url} has not ended within {timeout_s} s.")
                time.sleep(wait_s)
                wait_s = min(LONGEST_WAIT_S, wait_s * 1.5)
        if told["error"]:
            raise HeadlightError(told["error"]["message"], told["error"]["code"], 0)
        return self

    def map(
        self,
        layer: int | str,
        head: int,
        *,
        rows: slice | None = None,
        cols: slice | None = None,
        cell: int = 1,
        reading: str = "attention",
        position: int | None = None,
        token: int | None = None,
    ) -> NDArray[np.float32]:
        """A head's map: rows are queries, columns are keys, every full row sums to 1.

        Args:
            layer: its number, or a site such as "decoder.cross.2" where a model has several kinds of attention
            rows, cols: a part of it; slices without a step
            cell: more than 1 pools cell x cell weights by their largest
            reading: attention, value, gradient (of `position` and `token`), rollout or flow
        """
        site = self._site(layer)
        query = {"reading": None if reading == "attention" else reading, "position": position, "token": token}
        query["cell"] = cell if cell > 1 else None
        for name, part, length in (("rows", rows, site["queries"]), ("cols", cols, site["keys"])):
            if part is not None:
                start, stop, step = part.indices(length)
                if step != 1:
                    raise ValueError(f"{name} is a slice without a step")
                query[name] = f"{start}:{stop}"
        return self._wire.array(f"/runs/{self.id}/maps/{site['site']}/{head}", **query)

    def measures(self, layer: int | str) -> dict[str, list[float]]:
        """What is measured of each head of a layer, by name."""
        found: dict[str, list[float]] = self._site(layer)["measures"]
        return found

    def heads(self, measure: str) -> list[tuple[str, int, float]]:
        """All heads with a measure, the strongest first: site, head, value."""
        found = [
            (site["site"], head, value)
            for site in self._told["sites"]
            for head, value in enumerate(site["measures"].get(measure, []))
            if value is not None and value == value
        ]
        return sorted(found, key=lambda told: -told[2])

    def next_tokens(self, position: int = -1, top: int = 10) -> list[NextToken]:
        """What the model expects after a position."""
        return [NextToken(**token) for token in self.next_told(position, top)["tokens"]]

    def next_told(self, position: int, top: int) -> dict[str, Any]:
        """The same as the site tells it, with the position and its sequence."""
        told: dict[str, Any] = self._wire.get(f"/runs/{self.id}/probabilities", position=position, top=top)
        return told

    def share(
        self,
        *,
        title: str = "",
        note: str = "",
        layer: int | str | None = None,
        head: int = 0,
        row: int | None = None,
        col: int | None = None,
        reading: Reading = "attention",
        token: int | None = None,
        lens: slice | None = None,
        tuned: bool = False,
        compare_with: Run | None = None,
        partners: Sequence[Partner] = (),
        days: float | None = None,
        password: str = "",
        audience: Audience = "unlisted",
        class_id: str | None = None,
    ) -> Share:
        """A link that opens this run as it is, for `days`, or until it is revoked. What it shows is stored with it.

        Args:
            layer, head: the head in view
            row, col: a token that is kept, by its row of the map; with `col` their weight is taken apart
            reading: what is shown of the map: attention, value, gradient, rollout or flow. A gradient is of what is
                said at `row`, or at the end; a flow is the row's
            token: the id of the output that a gradient is of; the likeliest where it is left out
            lens: the positions at which the lens is open; slice(None) for all
            tuned: whether it is the tuned lens
            compare_with: another run of one's own, whose maps are shown beside this one's
            partners: tokens of both runs that belong together, such as ("decoder", 3, 4)
            audience: unlisted, signed_in for people who sign in, or class for those of one class
            class_id: which class, as `Client.classes` tells them

        Raises: ValueError where these contradict each other or the run; HeadlightError.
        """
        site = None if layer is None else self._site(layer)
        view = View(site, head, row, col, reading, token, lens, tuned, compare_with, partners)
        until = None if days is None else (datetime.now(UTC) + timedelta(days=days)).isoformat()
        order = {"run": self.id, "title": title, "note": note, "audience": audience, **view.order(self)}
        order["class_id"] = class_id
        return Share(self._wire, self._wire.post("/shares", {**order, "password": password, "expires_at": until}))

    def change(self, **changes: Any) -> None:
        """title, tags, pinned, visible."""
        self._wire.patch(f"/runs/{self.id}", changes)

    def delete(self) -> None:
        self._wire.delete(f"/runs/{self.id}")

    def _repr_html_(self) -> str:
        """Its heads as small maps, a row for each layer."""
        told = self._told
        words = html.escape(told["text"] or "")[:200]
        shown = 0
        rows: list[str] = []
        for site in told["sites"]:
            cell = 1
            while max(site["queries"], site["keys"]) > 64 * cell:
                cell *= 2
            maps = []
            for head in range(site["heads"]):
                if shown == MOST_SHOWN:
                    break
                shown += 1
                maps.append(heat_map(self.map(site["site"], head, cell=cell), f"{site['site']}, head {head}"))
            if maps:
                rows.append(f"<div>{''.join(maps)}</div>")
        link = f'<a href="{html.escape(self.url)}">{html.escape(told["model"] or "run")}</a>'
        return f"<div><p>{link}: {words} ({html.escape(told['state'])})</p>{''.join(rows)}</div>"

    @property
    def _told(self) -> dict[str, Any]:
        """What an ended run is changes no more, and is asked for once."""
        if self._ended is not None:
            return self._ended
        told: dict[str, Any] = self._wire.get(f"/runs/{self.id}")
        if told["state"] in ENDED:
            self._ended = told
        return told

    def _site(self, layer: int | str) -> dict[str, Any]:
        sites: list[dict[str, Any]] = self._told["sites"]
        found = [site for site in sites if site["site"] == layer or site["layer"] == layer]
        if len(found) != 1:
            raise ValueError(f"{layer!r} names no one site; this run has {', '.join(self.sites)}")
        return found[0]
