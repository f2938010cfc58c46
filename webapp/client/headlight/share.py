"""A link to a run, as its maker has it."""

from __future__ import annotations

from typing import Any

from headlight.wire import Wire


class Share:
    def __init__(self, wire: Wire, told: dict[str, Any]) -> None:
        self._wire = wire
        self.slug = str(told["slug"])
        self.title = str(told["title"])
        self.openings = int(told["openings"])
        self.size_bytes = int(told["size_bytes"])

    def __repr__(self) -> str:
        return f"<headlight.Share {self.title or 'untitled'} at {self.url}>"

    @property
    def url(self) -> str:
        return f"{self._wire.url}/s/{self.slug}"

    @property
    def embed(self) -> str:
        """For a frame in a page of one's own; `?panels=map,text,heads,next` chooses what it shows."""
        return f"{self._wire.url}/embed/{self.slug}"

    def revoke(self) -> None:
        """The link leads nowhere from now on."""
        self._wire.post(f"/shares/{self.slug}/revoke")
