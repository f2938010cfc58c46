"""Any bytes that come as safetensors are read as the library reads them, or refused in a sentence; nothing else."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.safetensors_file import HEADER_LIMIT_BYTES, read_header
from modelcore.checkpoints.stored import ITEM_BYTES, NAME_LIMIT, RANK_LIMIT

DTYPES = st.sampled_from(sorted(ITEM_BYTES))
NAMES = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=["L", "N", "P"]), min_size=1, max_size=20
)
SHAPES = st.lists(st.integers(0, 4), max_size=4)


@pytest.fixture(scope="module")
def file() -> Any:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "model.safetensors"


def laid_out(tensors: dict[str, tuple[str, list[int]]]) -> tuple[dict[str, Any], bytes]:
    header, place = {}, 0
    for name, (dtype, shape) in tensors.items():
        count = 1
        for size in shape:
            count *= size
        end = place + count * ITEM_BYTES[dtype]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [place, end]}
        place = end
    return header, bytes(place)


def write(file: Path, header: bytes, body: bytes) -> None:
    file.write_bytes(struct.pack("<Q", len(header)) + header + body)


def refused(file: Path) -> str | None:
    """None where it is read. Anything but a refusal fails the test."""
    try:
        for tensor in read_header(file):
            assert 0 <= tensor.start <= tensor.end <= file.stat().st_size
            assert tensor.dtype in ITEM_BYTES and len(tensor.shape) <= RANK_LIMIT and len(tensor.name) <= NAME_LIMIT
    except CheckpointError as error:
        message = str(error)
        assert message.endswith(".") and "\n" not in message
        return message
    return None


GOOD = st.dictionaries(NAMES, st.tuples(DTYPES, SHAPES), max_size=8)


@given(GOOD)
def test_every_right_file_is_read_and_every_tensor_is_found_once(
    file: Path, tensors: dict[str, tuple[str, list[int]]]
) -> None:
    header, body = laid_out(tensors)
    write(file, json.dumps(header).encode(), body)
    found = {tensor.name: (tensor.dtype, list(tensor.shape)) for tensor in read_header(file)}
    assert found == tensors


@given(GOOD, st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_what_the_library_refuses_is_refused(file: Path, tensors: dict[str, Any], data: st.DataObject) -> None:
    """A file with some of its bytes changed: never an error of another kind, never less strict than safetensors."""
    header, body = laid_out(tensors)
    raw = bytearray(struct.pack("<Q", len(json.dumps(header))) + json.dumps(header).encode() + body)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(0, len(raw)))] if data.draw(st.booleans()) else raw
    file.write_bytes(raw)
    if refused(file) is None:
        safetensors.deserialize(bytes(raw))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(
        st.text(max_size=12),
        JSON | st.fixed_dictionaries({"dtype": DTYPES | JSON, "shape": JSON, "data_offsets": JSON}),
        max_size=4,
    ),
    st.binary(max_size=32),
)
def test_any_json_is_read_or_refused(file: Path, header: dict[str, Any], body: bytes) -> None:
    write(file, json.dumps(header).encode(), body)
    if refused(file) is None:
        safetensors.deserialize(file.read_bytes())


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    refused(file)


@given(st.integers(HEADER_LIMIT_BYTES + 1, 2**64 - 1))
def test_header_longer_than_allowed_is_not_read(file: Path, length: int) -> None:
    file.write_bytes(struct.pack("<Q", length) + b"{}")
    assert refused(file) is not None


@pytest.mark.parametrize("limit", [1, 2])
def test_tensor_of_two_names_in_one_place_is_refused(file: Path, limit: int) -> None:
    entry = {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}
    write(file, json.dumps({"a": entry, "b": entry}).encode(), bytes(4 * limit))
    assert refused(file) is not None
