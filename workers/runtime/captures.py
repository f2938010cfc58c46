"""The q, k and log-sum-exp of traced runs: kept on disk, read in place, evicted by bytes, oldest first.

Reading maps the files into memory, so that a tile touches only the pages it needs and the operating system decides
what stays in memory. What was evicted is traced again by whoever asks.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from modelcore.analysis.capture import open_capture, save_capture
from modelcore.analysis.maps import AttentionMap

KEPT_BYTES = 2 << 30


class Captures:
    """Captures of all runs of this machine's workers, a folder each."""

    def __init__(self, root: Path, limit_bytes: int = KEPT_BYTES) -> None:
        self._root = root
        self._limit_bytes = limit_bytes

    def keep(self, run: str, maps: Sequence[AttentionMap]) -> None:
        """Write a run's capture whole or not at all, and make room for it."""
        self._root.mkdir(parents=True, exist_ok=True)
        save_capture(self._root / run, maps)
        self._evict(spare=run)

    def open(self, run: str) -> dict[str, AttentionMap] | None:
        """The run's maps by site, or None where they were evicted or never kept."""
        try:
            return open_capture(self._root / run)
        except FileNotFoundError:
            return None

    def _evict(self, spare: str) -> None:
        kept = sorted(
            (folder for folder in self._root.iterdir() if folder.is_dir() and folder.name != spare),
            key=lambda folder: folder.stat().st_mtime,
        )
        sizes = {folder: _size_bytes(folder) for folder in kept}
        excess = sum(sizes.values()) + _size_bytes(self._root / spare) - self._limit_bytes
        for folder in kept:
            if excess <= 0:
                return
            shutil.rmtree(folder, ignore_errors=True)
            excess -= sizes[folder]


def _size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*") if path.is_file())
