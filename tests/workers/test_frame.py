"""A frame is read back as it was written, by Python and from the golden files; what is no frame is refused."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.workers.golden_frames import GOLDEN
from workers.protocol import frame
from workers.protocol.events import EVENTS, Finished, Site, Tokens
from workers.protocol.frame import FrameError

FOLDER = Path(__file__).resolve().parents[1] / "golden"


@pytest.mark.parametrize("name", GOLDEN)
def test_frame_is_read_back_as_written(name: str) -> None:
    event, arrays = GOLDEN[name]
    read, views = frame.decode(frame.encode(event, arrays))
    assert read == event
    assert views.keys() == arrays.keys()
    for key, array in arrays.items():
        np.testing.assert_array_equal(np.asarray(views[key]).reshape(array.shape), array)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_frame_of_a_stored_share_still_reads(name: str) -> None:
    """These bytes lie on people's disks. If this fails, the wire has changed: make a new version that reads both."""
    event, arrays = GOLDEN[name]
    data = (FOLDER / f"{name}.frame").read_bytes()
    read, views = frame.decode(data)
    assert read == event
    assert all(np.array_equal(np.asarray(views[key]).reshape(array.shape), array) for key, array in arrays.items())
    assert frame.encode(event, arrays) == data


def test_site_stored_before_heads_were_labelled_still_reads() -> None:
    """Runs were stored without labels until workers made them; this frame is one of those, never rewritten."""
    read, views = frame.decode((FOLDER / "site_unlabelled.frame").read_bytes())
    assert isinstance(read, Site)
    assert read.labels == [] and read.measures == ["entropy", "previous_token", "first_token"]
    assert set(views) == {"overview", "scale", "measures"}


def test_every_event_has_a_golden_frame() -> None:
    assert {event.type for event, _ in GOLDEN.values()} == set(EVENTS)


def test_arrays_start_where_a_typed_view_may() -> None:
    event, arrays = GOLDEN["site"]
    data = frame.encode(event, arrays)
    header, start = frame.read_header(data)
    assert start % 8 == 0
    assert all(array["offset"] % 8 == 0 for array in header["arrays"].values())


def test_arrays_are_views_and_not_copies() -> None:
    data = bytearray(frame.encode(*GOLDEN["site"]))
    _, views = frame.decode(data)
    _, start = frame.read_header(data)
    data[start] ^= 0xFF
    assert np.asarray(views["overview"]).flat[0] == data[start]


@pytest.mark.parametrize(
    "arrays",
    [
        {},
        {"ids": np.zeros(2, np.int64), "offsets": np.zeros((2, 2), np.int32)},
        {"ids": np.zeros(2, np.int32), "offsets": np.zeros(4, np.int32)},
        {"ids": np.zeros(2, np.int32), "offsets": np.zeros((2, 4), np.int32)[:, ::2]},
    ],
    ids=["missing", "wrong type", "wrong rank", "not contiguous"],
)
def test_undeclared_arrays_are_refused(arrays: dict[str, np.ndarray]) -> None:
    event = Tokens(sequence="decoder", origin="given", texts=["a", "b"], special=[False, False])
    with pytest.raises(FrameError):
        frame.encode(event, arrays)


def _with_header(header: object) -> bytes:
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 8)
    return struct.pack("<3sBI", b"HLF", 1, len(text)) + text


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HLF",
        b"XYZ\x01\x00\x00\x00\x00",
        b"HLF\x02\x00\x00\x00\x00",
        b"HLF\x01\xff\xff\xff\xff{}",
        b"HLF\x01\x08\x00\x00\x00not json",
        _with_header({"type": "unheard of"}),
        _with_header({"type": "finished"}),
        _with_header({"type": "cancelled", "arrays": {"x": {"dtype": "f32", "shape": [1 << 40], "offset": 0}}}),
        _with_header({"type": "cancelled", "arrays": {"x": {"dtype": "f32", "shape": [1], "offset": -4}}}),
        _with_header({"type": "cancelled", "arrays": {"x": {"dtype": "c128", "shape": [1], "offset": 0}}}),
    ],
)
def test_what_is_no_frame_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(FrameError, match=r"\w+ \w+"):
        frame.decode(data)


def test_field_from_a_later_version_is_passed_over() -> None:
    data = _with_header({"type": "cancelled", "seq": 4, "mood": "calm", "arrays": {}})
    assert frame.decode(data).event.seq == 4


def test_only_endings_end_a_run() -> None:
    assert frame.ends_run(frame.encode(Finished(implementation="cpu", timings={})))
    assert not frame.ends_run(frame.encode(*GOLDEN["tokens"]))
    assert not Site.ends_run
