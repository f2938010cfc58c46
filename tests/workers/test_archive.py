"""What was stored of a run is read once and in order, whatever happened to those who wrote it."""

from __future__ import annotations

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
