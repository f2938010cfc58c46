"""Entries of a name table: each layout puts together what it takes apart, and takes apart what others put together."""

from __future__ import annotations

import pytest
import torch

from modelcore.checkpoints.agreement import first_difference
from modelcore.checkpoints.families import FAMILIES
from modelcore.checkpoints.mapping import Entry, Interleaved, Reshaped, SideBySide, Slot, assemble
from modelcore.presets import preset

ABC = ("a", "b", "c")
ENTRIES = {
    "one parameter": Entry("x", (6, 4), ("a",)),
    "transposed": Entry("x", (4, 6), ("a",), transposed=True),
    "three equal ones": Entry("x", (6, 4), ABC),
    "three equal ones, transposed": Entry("x", (4, 6), ABC, transposed=True),
    "three unequal ones": Entry("x", (6, 4), ABC, SideBySide((3, 2, 1))),
    "head by head": Entry("x", (12, 4), ABC, Interleaved(2)),
    "biases head by head": Entry("x", (12,), ABC, Interleaved(2)),
    "a leading axis of one": Entry("x", (1, 5, 4), ("a",), Reshaped((5, 4))),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_packing_undoes_unpacking(name):
    entry = ENTRIES[name]
    stored = torch.randn(entry.shape)
    assert torch.equal(entry.pack(dict(entry.unpack(stored))), stored)


def test_interleaved_projections_come_apart_as_outside():
    """GPT-NeoX views its output as [heads, 3, head width] before it splits queries, keys and values."""
    stored = torch.arange(12).float()
    parts = dict(Entry("x", (12,), ABC, Interleaved(2)).unpack(stored))
    assert parts["a"].tolist() == [0, 1, 6, 7]
    assert parts["c"].tolist() == [4, 5, 10, 11]


def test_tensors_that_fill_slots_become_one_parameter():
    entries = [Entry(f"expert{index}", (3, 4), ("experts",), slot=Slot(index, 2)) for index in range(2)]
    stored = [torch.randn(3, 4) for _ in entries]
    parameters = assemble(zip(entries, stored, strict=True), torch.float32)
    assert torch.equal(parameters["experts"], torch.stack(stored))
    assert torch.equal(entries[1].pack(parameters), stored[1])


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("base", "marian"),
        ("gpt2-xl", "gpt2"),
        ("bert-base", "bert"),
        ("t5-small", "t5"),
        ("llama-3-8b", "llama"),
        ("mixtral-8x7b", "mixtral"),
        ("vit-b-16", "vit"),
        ("tiny-decoder", "gpt2"),
        ("tiny-mixture", "mixtral"),
    ],
)
def test_preset_can_be_saved_in_the_layout_of_its_namesake(name, family):
    config, layout = preset(name), FAMILIES[family]
    shapes = {entry.name: entry.shape for entry in layout.entries(config)}
    assert first_difference(config, layout.read_config(layout.write_config(config), shapes)) is None
