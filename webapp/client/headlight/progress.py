"""How far a run is, by tqdm where that is installed; else nothing is shown."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class Progress:
    def __init__(self, wanted: bool) -> None:
        self._bar: Any = None
        if wanted:
            try:
                from tqdm.auto import tqdm  # type: ignore[import-untyped, unused-ignore]
            except ImportError:
                return
            self._bar = tqdm(unit=" layers", leave=False)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()

    def show(self, state: str, layers: int, tokens: int) -> None:
        if self._bar is not None:
            self._bar.set_description(f"{state}, {tokens} tokens" if tokens else state)
            self._bar.update(layers - self._bar.n)
