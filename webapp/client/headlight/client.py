"""The way in: a site, and what can be asked of it."""

from __future__ import annotations

import os
from typing import Any

from headlight.run import Run
from headlight.share import Share
from headlight.training import Training
from headlight.wire import Wire


class Client:
    """One Headlight site.

    Args:
        url: where it is; HEADLIGHT_URL, else this machine
        token: made at the site's /account; HEADLIGHT_TOKEN, else none
        timeout_s: how long one answer may take
    """

    def __init__(self, url: str | None = None, token: str | None = None, timeout_s: float = 60.0) -> None:
        url = url or os.environ.get("HEADLIGHT_URL") or "http://127.0.0.1:8000"
        self._wire = Wire(url, token or os.environ.get("HEADLIGHT_TOKEN"), timeout_s)

    def __repr__(self) -> str:
        return f"headlight.Client({self._wire.url!r})"

    def models(self) -> list[dict[str, Any]]:
        """The models that can be chosen, as GET /api/v1/models tells them."""
        found: list[dict[str, Any]] = self._wire.get("/models")["models"]
        return found

    def trace(
        self,
        model: str,
        text: str | None = None,
        *,
        ids: list[int] | None = None,
        target: str | None = None,
        text_pair: str | None = None,
        wait: bool = True,
        progress: bool = True,
    ) -> Run:
        """Have a model read a text. Raises: HeadlightError, also where the run fails."""
        asked = {"text": text, "ids": ids, "target": target, "text_pair": text_pair}
        return self._begin({"kind": "trace", "model": model, **asked}, wait, progress)

    def generate(
        self,
        model: str,
        text: str,
        *,
        target: str | None = None,
        wait: bool = True,
        progress: bool = True,
        **choices: Any,
    ) -> Run:
        """Have a model write on. `choices` are max_tokens, temperature, top_k, top_p, min_p, repetition_penalty, seed,
        stop_strings, beams and length_penalty.
        """
        asked = {"text": text, "target": target, "generate": choices or None}
        return self._begin({"kind": "generate", "model": model, **asked}, wait, progress)

    def train(self, **plan: Any) -> Training:
        """Begin a training; `plan` is what POST /api/v1/trainings takes, and `assignment` is all that it must have."""
        return Training(self._wire, self._wire.post("/trainings", plan))

    def run(self, id: str) -> Run:
        """One that was made before."""
        return Run(self._wire, id)

    def runs(self, **wanted: Any) -> list[dict[str, Any]]:
        """All that one may see, the newest first. `wanted` are search, state, kind, model, tag, pinned."""
        return self._pages("/runs", "runs", wanted)

    def shares(self) -> list[Share]:
        return [Share(self._wire, told) for told in self._pages("/shares", "shares", {})]

    def classes(self) -> list[dict[str, Any]]:
        """Those that one teaches or is in, as GET /api/v1/classes tells them."""
        return self._pages("/classes", "classes", {})

    def training(self, id: str) -> Training:
        return Training(self._wire, self._wire.get(f"/trainings/{id}"))

    def _begin(self, order: dict[str, Any], wait: bool, progress: bool) -> Run:
        made = self._wire.post("/runs", {name: value for name, value in order.items() if value is not None})
        run = Run(self._wire, made["id"])
        return run.wait(progress=progress) if wait else run

    def _pages(self, path: str, name: str, query: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self._wire.get(path, **query, cursor=cursor)
            found += page[name]
            cursor = page["next"]
            if cursor is None:
                return found
