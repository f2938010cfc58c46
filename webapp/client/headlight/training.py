"""A training on the site."""

from __future__ import annotations

import time
from typing import Any

from headlight.errors import HeadlightError
from headlight.progress import Progress
from headlight.wire import Wire

LOOK_EVERY_S = 1.0
ENDED = ("finished", "failed", "cancelled")


class Training:
    """As it was when it was last asked for; `wait` and `refresh` ask again."""

    def __init__(self, wire: Wire, told: dict[str, Any]) -> None:
        self._wire, self._told = wire, told
        self.id = str(told["id"])

    def __repr__(self) -> str:
        return f"<headlight.Training {self.id}, {self.state}, at {self.url}>"

    @property
    def url(self) -> str:
        """Its page, with its curve and its heads."""
        return f"{self._wire.url}/trainings/{self.id}"

    @property
    def state(self) -> str:
        return str(self._told["state"])

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self._told["plan"]
        return plan

    @property
    def model(self) -> str | None:
        """The name under which its model can be run; None before it is done."""
        model: str | None = self._told["model"]
        return model

    def refresh(self) -> Training:
        self._told = self._wire.get(f"/trainings/{self.id}")
        return self

    def wait(self, *, timeout_s: float | None = None, progress: bool = True) -> Training:
        """Until its model is there. Raises: HeadlightError where it failed; TimeoutError."""
        began = time.monotonic()
        with Progress(progress) as bar:
            # The library takes the model a moment after the training has ended.
            while self.state not in ENDED or (self.state == "finished" and self.model is None):
                bar.show(self.state, 0, 0)
                if timeout_s is not None and time.monotonic() - began > timeout_s:
                    raise TimeoutError(f"{self.url} has not ended within {timeout_s} s.")
                time.sleep(LOOK_EVERY_S)
                self.refresh()
        error = self._told["error"]
        if error:
            raise HeadlightError(error["message"], error["code"], 0)
        return self

    def cancel(self) -> None:
        self._wire.post(f"/runs/{self.id}/cancel")
