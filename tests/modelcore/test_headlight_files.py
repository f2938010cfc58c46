"""Our own layout says every model that there is, reads back what it wrote, and refuses what it cannot judge."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelcore.checkpoints.agreement import first_difference
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.headlight import read_config, write_config
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from modelcore.config import Llama3Scaling, Rotary
from modelcore.presets import PRESETS, preset
from tests.modelcore.small_decoders import DECODERS, PLAIN, ROTARY, build_peaked, draw_ids

SMALL = replace(PLAIN, position_encoding="sinusoidal", positions=16)
ALL = DECODERS | {"llama3": replace(ROTARY, rotary=Rotary(scaling=Llama3Scaling(8.0, 1.0, 4.0, 16)))}


@pytest.mark.parametrize("name", ALL)
def test_model_that_was_saved_says_the_same_again(name: str, tmp_path: Path) -> None:
    model = build_peaked(ALL[name])
    save_checkpoint(tmp_path, model, "headlight")
    opened = open_checkpoint(tmp_path)
    assert opened.config == model.config
    ids = draw_ids(9)
    with torch.inference_mode():
        assert torch.equal(opened.load()(ids), model(ids))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_told_and_read_again(name: str) -> None:
    config = preset(name)
    told = json.loads(json.dumps(write_config(config)))
    assert first_difference(read_config(told, {}), config) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"speed": 9}, "'speed' is an unknown"),
        ({"decoder": {"layers": 3, "heads": 4, "feedforward_width": 40, "bias": True}}, "'decoder.bias' is an unknown"),
        ({"decoder": {"layers": 3}}, "decoder lacks a field"),
        ({"decoder": [3, 4, 40]}, "decoder must be an object"),
        ({"decoder": {"layers": 10**9, "heads": 4, "feedforward_width": 40}}, "decoder.layers must be a whole number"),
        ({"width": True}, "width must be a whole number"),
        ({"width": 2**62}, "width must be a whole number"),
        ({"width": -1}, "width must be a whole number"),
        ({"positions": 10**12}, "positions must be a whole number"),
        ({"norm_epsilon": float("nan")}, "norm_epsilon must be a finite"),
        ({"embedding_scale": float("inf")}, "embedding_scale must be a finite"),
        ({"embedding_scale": 10**400}, "embedding_scale must be a finite"),
        ({"final_norm": "yes"}, "final_norm must be true or false"),
        ({"score": "eval"}, "score 'eval' is not supported"),
        ({"score": ["dot"]}, "score .* is not supported"),
        ({"rotary": {"scaling": {"kind": "os.system", "factor": 2}}}, "rotary.scaling.kind must be one of"),
        ({"rotary": {"scaling": {"kind": "linear", "factor": 2, "run": 1}}}, "'rotary.scaling.run' is an unknown"),
        ({"clip_qkv": -1.0}, "clip_qkv is -1.0; it must be positive"),
        ({"position_encoding": "learned"}, "decoder_embedding.positions.weight is missing"),
        ({"vocabulary": 60}, r"tokens.weight has the shape \[61, 32\]"),
    ],
)
def test_false_config_is_refused_by_its_field(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    save_checkpoint(tmp_path, build_peaked(SMALL), "headlight")
    values = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=told):
        open_checkpoint(tmp_path)


def test_huge_table_that_is_computed_takes_no_memory_before_weights_were_compared(tmp_path: Path) -> None:
    """65,536 sinusoids of width 65,536 are 17 GB; the stored tokens are 32 wide, and that is seen first."""
    save_checkpoint(tmp_path, build_peaked(SMALL), "headlight")
    values = json.loads((tmp_path / "config.json").read_text()) | {"positions": 65_536, "width": 65_536}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match="has the shape"):
        open_checkpoint(tmp_path)


def test_weight_that_is_missing_or_not_finite_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, build_peaked(SMALL), "headlight")
    weights = load_file(tmp_path / "model.safetensors")
    weights["tokens.weight"][0, 0] = float("nan")
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="not finite"):
        open_checkpoint(tmp_path).load()
    del weights["decoder.blocks.0.self_attention.query.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match="is missing"):
        open_checkpoint(tmp_path)
