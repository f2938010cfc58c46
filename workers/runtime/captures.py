"""The q, k and log-sum-exp of traced runs: kept on disk, read in place, evicted by bytes, oldest first.

Reading maps the files into memory, so that a tile touches only the pages it needs and the operating system decides
what stays in memory. What was evicted is traced again by whoever asks.
"""

from __future__ import annotations

import shutil
from collections import OrderedDict
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor

from modelcore.analysis.capture import open_capture, open_tensors, save_capture, save_tensors
from modelcore.analysis.maps import AttentionMap

KEPT_BYTES = 2 << 30


class Captures:
    """The captures of a machine: a folder a run, and one for each thing that is kept beside it. Each worker answers for
    what it found at its start and kept since.
    """

    def __init__(self, root: Path, limit_bytes: int = KEPT_BYTES) -> None:
        self._root = root
        self._limit_bytes = limit_bytes

    def keep(self, run: str, maps: Sequence[AttentionMap]) -> None:
        """Write a run's capture whole or not at all, and make room for it by forgetting the oldest."""
        self._root.mkdir(parents=True, exist_ok=True)
        save_capture(self._root / run, maps)
        self._make_room_for(run)

    def keep_beside(self, run: str, name: str, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
        """The same for what a reading needs beside the maps; it is forgotten by itself."""
        self._root.mkdir(parents=True, exist_ok=True)
        save_tensors(self._root / f"{run}+{name}", tensors, about)
        self._make_room_for(f"{run}+{name}")

    def open_beside(self, run: str, name: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What was kept under this name, or None where it was evicted or never kept."""
        try:
            return open_tensors(self._root / f"{run}+{name}")
        except FileNotFoundError:
            return None

    def _make_room_for(self, newest: str) -> None:
        known = self._sizes_bytes
        known[newest] = _size_bytes(self._root / newest)
        known.move_to_end(newest)
        while sum(known.values()) > self._limit_bytes and len(known) > 1:
            oldest, _ = known.popitem(last=False)
            shutil.rmtree(self._root / oldest, ignore_errors=True)

    def open(self, run: str) -> dict[str, AttentionMap] | None:
        """The run's maps by site, or None where they were evicted or never kept."""
        try:
            return open_capture(self._root / run)
        except FileNotFoundError:
            return None

    @cached_property
    def _sizes_bytes(self) -> OrderedDict[str, int]:
        """What is kept, oldest first. Read from the disk once: a look at thousands of folders takes its time."""
        folders = [folder for folder in self._root.glob("*") if folder.is_dir()]
        return OrderedDict(
            (folder.name, _size_bytes(folder)) for folder in sorted(folders, key=lambda folder: folder.stat().st_mtime)
        )


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
