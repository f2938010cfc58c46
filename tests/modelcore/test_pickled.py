"""Pickled weights are read as a table and never run; whatever is more than dense tensors is refused."""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import nn

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.pickled import read_pickled
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.weights import open_weights
from tests.modelcore.shrunk import save_gpt2

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]


def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(1)
    made = {str(dtype): (torch.randn(3, 5) * 9).to(dtype) for dtype in DTYPES}
    row = torch.randn(7)
    return made | {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4), "tied": row, "twin": row}


def refusal(file: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        read_pickled(file)
    message = str(refused.value)
    assert message.startswith(file.name)
    assert len(message) <= 300 and "\n" not in message
    return message


def repack(file: Path, *, compression: int = zipfile.ZIP_STORED, **changed: bytes | None) -> None:
    """The same zip with some entries replaced (data_pkl for data.pkl), left out or compressed."""
    with zipfile.ZipFile(file) as archive:
        entries = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    root = next(iter(entries)).split("/")[0]
    entries |= {f"{root}/{name.replace('_', '.')}": content for name, content in changed.items()}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in entries.items():
            if content is not None:
                archive.writestr(name, content)


@pytest.mark.parametrize("is_zip", [True, False])
def test_every_dtype_reads_as_torch_reads_it(tmp_path, is_zip):
    file = tmp_path / "pytorch_model.bin"
    torch.save(OrderedDict(state()), file, _use_new_zipfile_serialization=is_zip)
    expected = torch.load(file, weights_only=True)
    read = {tensor.name: tensor.read() for tensor in read_pickled(file)}
    assert list(read) == list(expected)
    for name, tensor in read.items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name])


def test_a_modules_own_state_and_its_parameters_are_read(tmp_path):
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    for number, saved in enumerate((module.state_dict(), dict(module.named_parameters()))):
        file = tmp_path / f"{number}.pt"
        torch.save(saved, file)
        assert {tensor.name for tensor in read_pickled(file)} == set(saved)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.pt", "model.pt"])
def test_checkpoint_with_pickled_weights_loads_as_its_safetensors_do(tmp_path, name):
    outside = save_gpt2(tmp_path)
    ids = torch.randint(0, 83, (1, 9))
    before = open_checkpoint(tmp_path).load()(ids)
    torch.save(outside.state_dict(), tmp_path / name)
    (tmp_path / "model.safetensors").unlink()
    assert torch.equal(open_checkpoint(tmp_path).load()(ids), before)


def test_pickled_shards_are_read_by_their_index(tmp_path):
    tensors = state()
    weight_map = {name: f"pytorch_model-{number % 2}.bin" for number, name in enumerate(tensors)}
    for shard in set(weight_map.values()):
        torch.save({name: tensor for name, tensor in tensors.items() if weight_map[name] == shard}, tmp_path / shard)
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert all(torch.equal(value, tensors[name]) for name, value in open_weights(tmp_path).read(list(tensors)))


def test_safetensors_win_over_a_pickle_beside_them(tmp_path):
    save_gpt2(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"no pickle at all")
    assert {tensor.file.name for tensor in open_weights(tmp_path).tensors.values()} == {"model.safetensors"}


class Gadget:
    def __init__(self, called, *arguments):
        self.reduced = called, arguments

    def __reduce__(self):
        return self.reduced


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_pickle_is_named_and_not_run(tmp_path, is_zip, protocol):
    canary, file = tmp_path / "canary", tmp_path / "pytorch_model.bin"
    saved = {"weight": Gadget(os.system, f"touch {canary}")}
    torch.save(saved, file, _use_new_zipfile_serialization=is_zip, pickle_protocol=protocol)
    assert f"{os.system.__module__}.system" in refusal(file)
    assert not canary.exists()


@pytest.mark.parametrize("called", [bytearray, complex, pickle.loads, torch.nn.Linear])
def test_any_other_callable_is_refused_by_name(tmp_path, called):
    file = tmp_path / "model.pt"
    torch.save({"weight": Gadget(called, 1)}, file)
    assert called.__name__ in refusal(file)


@pytest.mark.parametrize(
    ("tensor", "named"),
    [
        (torch.zeros(2, 3).to_sparse(), "_rebuild_sparse_tensor"),
        (torch.zeros(2, 3).to_sparse_csr(), "_rebuild_sparse_tensor"),
        (torch.zeros(3, device="meta"), "_rebuild_meta_tensor"),
        (torch.zeros(3, dtype=torch.complex64), "ComplexFloatStorage"),
        (torch.zeros(1).expand(4), "weight is not stored row by row"),
        (torch.randn(3, 4).t(), "weight is not stored row by row"),
        ("text", "weight is no tensor"),
        ({"inner": torch.zeros(1)}, "weight is no tensor"),
    ],
)
def test_what_is_no_dense_tensor_is_refused_by_name(tmp_path, tensor, named):
    file = tmp_path / "pytorch_model.bin"
    torch.save({"weight": tensor}, file)
    assert named in refusal(file)


def test_overlapping_tensors_are_refused_and_so_is_one_with_many_names(tmp_path):
    """A megabyte under a hundred thousand names would become a hundred gigabytes of weights."""
    file, run = tmp_path / "model.pt", torch.zeros(9)
    torch.save({"first": run[:6], "second": run[3:]}, file)
    assert "second shares" in refusal(file)
    torch.save({str(number): run for number in range(9)}, file)
    assert "shares" in refusal(file)


@pytest.mark.parametrize("claimed", [(1 << 40,), (5,), (1 << 61, 8)])
def test_tensor_larger_than_its_storage_is_refused(tmp_path, claimed):
    file = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(4)}, file)
    with zipfile.ZipFile(file) as archive:
        name = next(name for name in archive.namelist() if name.endswith("data.pkl"))
        table = archive.read(name)
    shape = pickle.dumps(claimed, protocol=2)[2:-1]
    strides = pickle.dumps((claimed[-1], 1)[-len(claimed) :], protocol=2)[2:-1]
    assert (b"K\x04\x85q" in table) and (b"K\x01\x85q" in table)
    changed = table.replace(b"K\x04\x85q", _without_memo(shape) + b"q", 1).replace(
        b"K\x01\x85q", _without_memo(strides) + b"q", 1
    )
    repack(file, data_pkl=changed)
    assert "weight of shape" in refusal(file)


def _without_memo(pickled: bytes) -> bytes:
    return pickled[: pickled.rindex(b"q")]


def test_nested_memo_entries_do_not_take_for_ever(tmp_path):
    """Sixty tuples, each holding the one before it twice: as a key its hash would take 2^60 steps."""
    file = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros(4)}, file)
    nested = b")" + b"".join(b"q%c" % n + b"h%c" % n + b"\x86" for n in range(60))
    repack(file, data_pkl=b"\x80\x02}" + nested + b"K\x01s.")
    assert "damaged" in refusal(file)


def test_torchscript_and_other_archives_are_refused(tmp_path):
    file = tmp_path / "model.pt"
    torch.jit.script(nn.Linear(2, 2)).save(file)
    assert "TorchScript" in refusal(file)
    file.write_bytes(pickle.dumps({"weight": 1}))
    assert "torch.save" in refusal(file)
    for raw in (b"", b"PK\x03\x04", b"\x80\x02", b"ustar" * 200):
        file.write_bytes(raw)
        refusal(file)


def test_compressed_and_truncated_files_are_refused(tmp_path):
    file = tmp_path / "model.pt"
    torch.save(state(), file)
    whole = file.read_bytes()
    repack(file, compression=zipfile.ZIP_DEFLATED)
    assert "is compressed" in refusal(file)
    legacy = io.BytesIO()
    torch.save(state(), legacy, _use_new_zipfile_serialization=False)
    for raw in (whole, legacy.getvalue()):
        for kept in range(1, len(raw), 97):
            file.write_bytes(raw[:kept])
            refusal(file)


@pytest.mark.parametrize("moved", [7, 1 << 62])
def test_zip_whose_entries_lie_outside_the_file_is_refused(tmp_path, moved):
    """The end of a zip says where its directory began; the entries are counted from there, so before byte 0."""
    file = tmp_path / "model.pt"
    torch.save(state(), file)
    raw = bytearray(file.read_bytes())
    place = raw.rindex(b"PK\x06\x06") + 48
    raw[place : place + 8] = (int.from_bytes(raw[place : place + 8], "little") + moved).to_bytes(8, "little")
    file.write_bytes(raw)
    assert "leaves the file" in refusal(file)


def test_tensor_of_very_many_axes_is_refused(tmp_path):
    file = tmp_path / "model.pt"
    torch.save({"weight": torch.zeros([1] * 60)}, file)
    assert "weight has 60 axes" in refusal(file)


def test_name_that_is_not_printable_stays_on_one_line(tmp_path):
    file = tmp_path / "model.pt"
    for value in (torch.zeros(1), "text"):
        torch.save({"a\nb": value}, file)
        assert "'a\\nb' is too long or not printable" in refusal(file)


def test_numbers_of_another_byte_order_are_refused(tmp_path):
    file = tmp_path / "model.pt"
    torch.save(state(), file)
    repack(file, byteorder=b"big")
    assert "little-endian" in refusal(file)
