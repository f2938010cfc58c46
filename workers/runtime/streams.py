"""The residual streams of runs that were looked at through the lens: kept on disk, read in place, oldest forgotten."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError

from modelcore.analysis.stream import Stream, open_stream, save_stream

KEPT_BYTES = 1 << 30


class Streams:
    """A file a run. What was forgotten is made again by whoever asks, which takes as long as the model reads."""

    def __init__(self, root: Path, limit_bytes: int = KEPT_BYTES) -> None:
        self._root = root
        self._limit_bytes = limit_bytes

    def keep(self, run: str, stream: Stream) -> None:
        """Written whole or not at all. Looks at all files: once a run. Raises: OSError."""
        self._root.mkdir(parents=True, exist_ok=True)
        save_stream(self._path(run), stream)
        kept = sorted((path.stat().st_mtime_ns, path) for path in self._root.glob("*.safetensors"))
        room = self._limit_bytes - sum(path.stat().st_size for _, path in kept)
        for _, path in kept[:-1]:
            if room >= 0:
                break
            room += path.stat().st_size
            path.unlink(missing_ok=True)

    def open(self, run: str) -> Stream | None:
        """None where it was forgotten, never kept, or its file is broken."""
        try:
            return open_stream(self._path(run))
        except (FileNotFoundError, SafetensorError):
            return None

    def _path(self, run: str) -> Path:
        return self._root / f"{run}.safetensors"
