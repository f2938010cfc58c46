"""What was stored of a run is read once and in order, whatever happened to those who wrote it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from workers.protocol.archive import ArchiveWriter, last, read


def write(folder: Path, attempt: int, *seqs: int) -> ArchiveWriter:
    writer = ArchiveWriter(folder, attempt)
    for seq in seqs:
        writer.append(seq, f"{attempt}:{seq}".encode())
    return writer


def found(folder: Path, after: int = 0) -> list[str]:
    return [stored.frame.decode() for stored in read(folder, after)]


def test_frames_are_read_from_any_seq_on(tmp_path: Path) -> None:
    write(tmp_path, 1, 1, 2, 3)
    assert found(tmp_path) == ["1:1", "1:2", "1:3"]
    assert found(tmp_path, after=2) == ["1:3"]
    assert found(tmp_path, after=99) == []


def test_run_that_never_started_has_no_frames(tmp_path: Path) -> None:
    assert found(tmp_path / "nowhere") == []
    assert last(tmp_path / "nowhere") is None


def test_late_worker_cannot_reach_into_the_next_attempt(tmp_path: Path) -> None:
    late = write(tmp_path, 1, 1, 2)
    write(tmp_path, 2, 3, 4)
    late.append(3, b"1:3 too late")
    late.append(4, b"1:4 too late")
    late.append(5, b"1:5 too late")
    assert found(tmp_path) == ["1:1", "1:2", "2:3", "2:4"]


def test_attempts_are_ordered_as_numbers(tmp_path: Path) -> None:
    for attempt in (2, 10):
        write(tmp_path, attempt, attempt)
    assert found(tmp_path) == ["2:2", "10:10"]


@pytest.mark.parametrize("cut", range(1, 11))
def test_frame_cut_off_by_a_crash_is_not_read(tmp_path: Path, cut: int) -> None:
    write(tmp_path, 1, 1, 2)
    path = tmp_path / "1.frames"
    path.write_bytes(path.read_bytes()[:-cut])
    assert found(tmp_path) == ["1:1"]
    newest = last(tmp_path)
    assert newest is not None and newest.seq == 1


def test_attempt_is_written_once(tmp_path: Path) -> None:
    write(tmp_path, 1, 1)
    with pytest.raises(FileExistsError):
        ArchiveWriter(tmp_path, 1)


def test_frame_that_finds_no_room_hides_no_later_one(tmp_path: Path) -> None:
    """A full disk took half a frame without a word, and what was written after room was made could not be read."""
    resource = pytest.importorskip("resource")
    writer = write(tmp_path, 1, 1)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, usual[1]))
    try:
        with pytest.raises(OSError):
            writer.append(2, b"x" * 100)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
        signal.signal(signal.SIGXFSZ, ignored)
    writer.append(2, b"1:2")
    assert found(tmp_path) == ["1:1", "1:2"]
