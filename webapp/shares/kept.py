"""What a share keeps: the run's frames, without the names of run and worker, and exact maps of the heads in view.

shares/17/1.frames           the frames, numbered from 1 (workers.protocol.archive)
shares/17/first_heads.json   all heads in little (webapp.shares.first_heads)
shares/17/maps.npz           "decoder.self.3/7/attention/1" -> float32; the last number is the map's cell
shares/17/lens.frame         what a worker told of the lens, where it was open
shares/17/pair.frame         what a worker told of the weight that was taken apart
shares/17/pair.1.frame       and of the same two tokens in the first of the picked heads, then pair.2.frame
shares/17/second/1.frames    of a comparison the second run's frames; its maps stand beside the first one's
shares/17/comparison.frame   what a worker told of both
"""

from __future__ import annotations

import io
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workers.protocol import archive, frame
from workers.protocol.archive import StoredFrame
from workers.protocol.event import Event
from workers.protocol.frame import Frame

Matrix = np.ndarray[Any, np.dtype[np.float32]]

MAPS = "maps.npz"
SECOND = "second"
LENS = "lens"
PAIR = "pair"
COMPARISON = "comparison"

DIFFERENCE = "difference"
"""As a reading: the second run's weights less the first's. `SECOND` as one: the second run's weights."""


@dataclass(frozen=True)
class MapName:
    """Which map, read how, and how many tokens a side one of its values stands for."""

    site: str
    head: int
    reading: str
    cell: int

    def __str__(self) -> str:
        return f"{self.site}/{self.head}/{self.reading}/{self.cell}"


def reading_name(reading: str, position: int | None = None, token: int | None = None, row: int = 0) -> str:
    """A gradient is one map for each output, "gradient.5.300"; a flow one row for each token, "flow.5"."""
    if reading == "flow":
        return f"{reading}.{row}"
    if reading != "gradient":
        return reading
    return ".".join("" if part is None else str(part) for part in (reading, position, token))


def pair_name(place: int) -> str:
    """Of the pairs that are kept, counted from 0."""
    return f"{PAIR}.{place}" if place else PAIR


def keep_frames(folder: Path, frames: Iterator[StoredFrame]) -> int:
    """Store what the last attempt told; returns the bytes.

    A run's id opens the run itself, so it is not told: what can be revoked is the share alone.
    """
    forget(folder)  # Of a share that was begun and not finished.
    told: list[bytes] = []
    for stored in frames:
        if frame.read_header(stored.frame)[0]["type"] == "started":
            told = [frame.retold(stored.frame, run="", worker="", attempt=1)]
        else:
            told.append(stored.frame)
    writer = archive.ArchiveWriter(folder, 1)
    for seq, data in enumerate(told, 1):
        writer.append(seq, frame.retold(data, seq=seq))
    writer.sync()
    writer.close()
    return size_bytes(folder)


def keep_answer(folder: Path, name: str, event: Event, arrays: Mapping[str, Any]) -> int:
    """Store what a worker told, under LENS, COMPARISON or the name of a pair; returns the bytes."""
    shaped = {each: _shaped(np.asarray(array), len(event.arrays[each].axes)) for each, array in arrays.items()}
    return (folder / f"{name}.frame").write_bytes(frame.encode(event, shaped))


def read_answer(folder: Path, name: str) -> Frame | None:
    try:
        return frame.decode((folder / f"{name}.frame").read_bytes())
    except FileNotFoundError:
        return None


class MapsWriter:
    """Takes maps one by one until they are as large as they may be; the first always fits."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._file = zipfile.ZipFile(folder / MAPS, "w", zipfile.ZIP_DEFLATED, compresslevel=6)
        self._left_bytes = limit_bytes

    @property
    def is_full(self) -> bool:
        return self._left_bytes <= 0

    def add(self, name: MapName, values: Matrix) -> None:
        """Nothing is kept of a map that no longer fits, and of those that follow."""
        npy = io.BytesIO()
        np.save(npy, np.ascontiguousarray(values, dtype=np.float32), allow_pickle=False)
        packed_bytes = len(zlib.compress(npy.getvalue(), 6))
        if self._file.filelist and packed_bytes > self._left_bytes:
            self._left_bytes = 0
            return
        self._file.writestr(f"{name}.npy", npy.getvalue())
        self._left_bytes -= packed_bytes

    def close(self) -> None:
        self._file.close()


def read_map(folder: Path, site: str, head: int, reading: str, rows: range, cols: range, cell: int) -> Matrix | None:
    """A rectangle, exact or pooled by the largest; None where nothing as fine as that was kept."""
    try:
        with zipfile.ZipFile(folder / MAPS) as file:
            kept = _finest(file, site, head, reading)
            if kept is None or cell % kept.cell or rows.start % kept.cell or cols.start % kept.cell:
                return None
            with file.open(f"{kept}.npy") as member:
                whole: Matrix = np.load(io.BytesIO(member.read()), allow_pickle=False)
    except FileNotFoundError:
        return None
    part = whole[
        rows.start // kept.cell : -(-rows.stop // kept.cell), cols.start // kept.cell : -(-cols.stop // kept.cell)
    ]
    return pooled(part, cell // kept.cell)


def totals(weights: Matrix) -> tuple[Matrix, Matrix]:
    """What each key receives of these rows, and each row's entropy in nats."""
    logs = np.log(weights, out=np.zeros_like(weights), where=weights > 0)
    return weights.sum(axis=0), -(weights * logs).sum(axis=1)


def floors(weights: Matrix, mass: float) -> Matrix:
    """How weak a weight of each row may be and still be one of the fewest that hold this share of what its keys hold;
    lowered by a thousandth, as a worker's are.
    """
    falling = -np.sort(-weights, axis=1)
    held = falling.cumsum(axis=1, dtype=np.float64)
    enough = np.argmax(held >= mass * held[:, -1:] * (1 - 1e-9), axis=1)
    found: Matrix = np.take_along_axis(falling, enough[:, None], axis=1)[:, 0] * np.float32(1 - 1e-3)
    return found


def pooled(values: Matrix, cell: int) -> Matrix:
    """The value furthest from 0 of each cell x cell values; cells at the edges are smaller. NaN, which stands in a
    difference where there is no partner, only where there is nothing else.
    """
    if cell == 1:
        return values
    height, width = (-(-length // cell) for length in values.shape)
    padded = np.full((height * cell, width * cell), np.nan, dtype=np.float32)
    padded[: values.shape[0], : values.shape[1]] = values
    blocks = padded.reshape(height, cell, width, cell).transpose(0, 2, 1, 3).reshape(height, width, cell * cell)
    furthest = np.where(np.isnan(blocks), -1, np.abs(blocks)).argmax(-1)[..., None]
    found: Matrix = np.take_along_axis(blocks, furthest, -1)[..., 0]
    return found


def forget(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _shaped(array: np.ndarray[Any, Any], rank: int) -> np.ndarray[Any, Any]:
    """A memoryview that holds nothing, which a frame is decoded into, has lost its shape."""
    return array if array.size else np.empty((0,) * rank, dtype=array.dtype)


def _finest(file: zipfile.ZipFile, site: str, head: int, reading: str) -> MapName | None:
    beginning = f"{site}/{head}/{reading}/"
    cells = [
        int(name.removeprefix(beginning).removesuffix(".npy")) for name in file.namelist() if name.startswith(beginning)
    ]
    return MapName(site, head, reading, min(cells)) if cells else None


def size_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
