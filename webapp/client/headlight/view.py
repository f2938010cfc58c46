"""What a link shows of a run: the page's state as the query of its address, and what is stored beside the maps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from headlight.run import Run

READINGS = ("attention", "value", "gradient", "rollout", "flow")

Partner = tuple[str, int, int]
"""A sequence, "encoder" or "decoder", and two tokens of it that belong together: of the run, and of the other one."""


@dataclass(frozen=True)
class View:
    """A head and how it is looked at; `Run.share` says what each means."""

    site: dict[str, Any] | None = None
    head: int = 0
    row: int | None = None
    col: int | None = None
    reading: str = "attention"
    token: int | None = None
    lens: slice | None = None
    tuned: bool = False
    other: Run | None = None
    partners: Sequence[Partner] = ()

    def order(self, run: Run) -> dict[str, Any]:
        """The part of POST /shares that is about it. Asks the site for the output of a gradient.

        Raises: ValueError where it contradicts itself or the run.
        """
        self._check()
        query: dict[str, str | int] = {}
        output: dict[str, int] = {}
        if self.site is not None:
            query = {"site": self.site["site"], "head": self.head}
            kept = self._place("row", self.row, self.site["queries"])
            if kept is not None:
                query["token"] = f"{self.site['stack']}.{kept}"
            key = self._place("col", self.col, self.site["keys"])
            if key is not None:
                query["key"] = key
            if self.reading == "gradient":
                output = self._output(run, kept)
                query["reading"] = f"gradient.{output['token']}"
            elif self.reading != "attention":
                query["reading"] = self.reading
        if self.other is not None:
            query["with"] = self.other.id
            if self.partners:
                query["pairs"] = ",".join(f"{sequence}.{first}.{second}" for sequence, first, second in self.partners)
        lens = None if self.lens is None else {"positions": self._positions(run, self.lens), "tuned": self.tuned}
        return {"view": f"?{urlencode(query)}" if query else "", "lens": lens, **output}

    def _check(self) -> None:
        if self.reading not in READINGS:
            raise ValueError(f"{self.reading!r} is no reading; there are {', '.join(READINGS)}")
        if self.site is None and (self.reading != "attention" or self.row is not None):
            raise ValueError("a reading and a row are of a head: give its layer too")
        if self.col is not None and self.row is None:
            raise ValueError("col is what a row looks at: give row too")
        if self.token is not None and self.reading != "gradient":
            raise ValueError("token is the output that a gradient is of: leave it out, or give reading='gradient'")
        if self.partners and self.other is None:
            raise ValueError("partners are tokens of two runs: give compare_with too")
        if self.tuned and self.lens is None:
            raise ValueError("tuned is of the lens: give the positions that it shows too, lens=slice(None) for all")

    def _place(self, name: str, given: int | None, length: int) -> int | None:
        """Counted from the end where it is below 0, as Python does."""
        if given is not None and not -length <= given < length:
            raise ValueError(f"{name} goes from 0 to {length - 1} in this map")
        return None if given is None else given % length

    def _output(self, run: Run, row: int | None) -> dict[str, int]:
        """Which output the page shows the gradient of: at the row that is kept, else where the page rests."""
        if run.picture:
            if self.token is None:
                raise ValueError("this run scores classes of a picture: say which one, token=ID")
            return {"token": self.token}
        told = run.next_told(-1, 1)
        assert self.site is not None
        position = row if row is not None and self.site["stack"] == told["sequence"] else None
        if position is None or position > told["position"]:
            position = _first_hidden(run) if told["sequence"] == "encoder" else None
        if position is None:
            position = told["position"]
        token = run.next_tokens(position, 1)[0].id if self.token is None else self.token
        return {"position": position, "token": token}

    def _positions(self, run: Run, asked: slice) -> tuple[int, int]:
        names = {token.sequence for token in run.tokens}
        speaking = "decoder" if "decoder" in names else "encoder"
        length = 1 if run.picture else sum(token.sequence == speaking for token in run.tokens)
        start, stop, step = asked.indices(length)
        if step != 1 or start >= stop:
            raise ValueError(f"lens is a slice without a step, of the positions 0 to {length - 1}")
        return start, stop


def _first_hidden(run: Run) -> int | None:
    """The first token that the text hides, [MASK]: there the page rests."""
    tokens = [token for token in run.tokens if token.sequence == "encoder"]
    hidden = (
        place for place, token in enumerate(tokens) if token.special and re.fullmatch(r"\W*mask\W*", token.text, re.I)
    )
    return next(hidden, None)
