"""Rotary positions stretched in every way, on texts longer than the positions they were first learned for."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
import transformers

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from tests.modelcore.agreement import assert_same_logits, assert_same_maps
from tests.modelcore.decoder_variants import GEMMA2, IDS, LENGTHS, SIZES, UNSHARED, WINDOWS, save_decoder

LEARNED = 24
SHORT = SIZES | {"max_position_embeddings": LEARNED}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": LEARNED}
LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": LEARNED,
}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0, 1.1, 1.2, 1.5, 2.0, 3.0],
    "long_factor": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    "original_max_position_embeddings": LEARNED,
}
PARTLY = UNSHARED | {"max_position_embeddings": LEARNED, "rotary_pct": 0.5}
OLMO3_BASES = {"sliding_attention": {"rope_type": "default", "rope_theta": 500.0}}

SCALINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "linear": ("LlamaForCausalLM", SIZES | {"rope_scaling": {"type": "linear", "factor": 2.5}}),
    "dynamic": ("LlamaForCausalLM", SHORT | {"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}),
    "yarn": ("LlamaForCausalLM", SIZES | {"rope_scaling": YARN}),
    "yarn, its ramp elsewhere": (
        "LlamaForCausalLM",
        SIZES | {"rope_scaling": YARN | {"beta_fast": 4, "beta_slow": 0.5, "attention_factor": 1.3}},
    ),
    "yarn, a ramp not truncated": (
        "Qwen3ForCausalLM",
        SIZES | {"head_dim": 12, "rope_scaling": YARN | {"truncate": False}},
    ),
    "yarn with two mscales": (
        "LlamaForCausalLM",
        SIZES | {"rope_scaling": YARN | {"mscale": 1.5, "mscale_all_dim": 0.7}},
    ),
    "yarn by the ratio of positions": ("LlamaForCausalLM", SIZES | {"rope_scaling": YARN | {"factor": None}}),
    "llama3": ("LlamaForCausalLM", SIZES | {"rope_scaling": LLAMA3}),
    "llama3, another base": ("LlamaForCausalLM", SIZES | {"rope_theta": 300.0, "rope_scaling": LLAMA3}),
    "longrope": ("LlamaForCausalLM", SIZES | {"rope_scaling": LONGROPE | {"factor": 3.0}}),
    "longrope, its own factor": ("LlamaForCausalLM", SIZES | {"rope_scaling": LONGROPE | {"attention_factor": 1.4}}),
    "linear, partly rotary": ("GPTNeoXForCausalLM", PARTLY | {"rope_scaling": {"type": "linear", "factor": 2.5}}),
    "dynamic, partly rotary": ("GPTNeoXForCausalLM", PARTLY | {"rope_scaling": {"type": "dynamic", "factor": 2.5}}),
    "yarn, partly rotary": ("PhiForCausalLM", SIZES | {"partial_rotary_factor": 0.67, "rope_scaling": YARN}),
    "linear in full layers": (
        "Gemma3ForCausalLM",
        SIZES | GEMMA2 | {"rope_theta": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    ),
    "yarn in full layers": (
        "Olmo3ForCausalLM",
        SIZES | WINDOWS | {"rope_parameters": OLMO3_BASES | {"full_attention": YARN | {"rope_theta": 500.0}}},
    ),
}


@pytest.mark.parametrize("name", SCALINGS)
def test_stretched_positions_give_the_same_maps_and_survive_saving(tmp_path, name):
    outside = save_decoder(tmp_path, *SCALINGS[name])
    checkpoint = open_checkpoint(tmp_path)
    model = checkpoint.load()
    save_checkpoint(tmp_path / "ours", model, checkpoint.family)
    reopened = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "ours", attn_implementation="eager")
    assert open_checkpoint(tmp_path / "ours").config == checkpoint.config
    # Dynamic scaling outside remembers the longest text it has read: shorter ones first.
    for tokens in sorted(LENGTHS):
        ids, maps = IDS[:1, :tokens], []
        with torch.inference_mode():
            expected = outside(ids, output_attentions=True)
            logits = model(ids, tap=maps.append)
            assert_same_logits(logits, expected.logits)
            assert_same_logits(reopened(ids).logits, logits)
        assert_same_maps(maps, expected.attentions)


GEMMA3_BASES = {
    "rope_theta": 5e3,
    "rope_local_base_freq": 300.0,
    "rope_scaling": {"rope_type": "linear", "factor": 8.0},
}
# As transformers 5 writes them, and as 4 did.
SPELLINGS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "llama": (
        "LlamaForCausalLM",
        SIZES | {"rope_parameters": {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.0}},
        {"rope_theta": 500.0, "rope_scaling": {"type": "linear", "factor": 2.0}},
    ),
    "mixtral": ("MixtralForCausalLM", SIZES, {"rope_theta": 1e6}),
    "gpt_neox": (
        "GPTNeoXForCausalLM",
        UNSHARED | {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.5}},
        {"rotary_emb_base": 500, "rotary_pct": 0.5},
    ),
    "phi": (
        "PhiForCausalLM",
        SIZES | {"rope_parameters": {"rope_type": "default", "rope_theta": 500.0, "partial_rotary_factor": 0.84}},
        {"rope_theta": 500.0, "partial_rotary_factor": 0.84},
    ),
    "phi3": (
        "Phi3ForCausalLM",
        SIZES | {"original_max_position_embeddings": LEARNED, "rope_parameters": LONGROPE},
        {"rope_theta": 1e4, "rope_scaling": LONGROPE | {"rope_type": None, "type": "su"}},
    ),
    "gemma3": (
        "Gemma3ForCausalLM",
        SIZES | GEMMA2 | GEMMA3_BASES,
        GEMMA3_BASES,
    ),
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_older_spelling_says_the_same(tmp_path, name):
    class_name, settings, older = SPELLINGS[name]
    save_decoder(tmp_path, class_name, settings)
    newer = open_checkpoint(tmp_path).config
    values = json.loads((tmp_path / "config.json").read_text())
    assert values.pop("rope_parameters")
    (tmp_path / "config.json").write_text(json.dumps(values | older))
    assert open_checkpoint(tmp_path).config == newer


@pytest.mark.parametrize(
    ("rope", "named"),
    [
        ({"rope_type": "proportional"}, "proportional"),
        ({"rope_type": "default", "mrope_section": [2, 2, 2]}, "mrope_section"),
        ({"rope_type": "linear"}, "rope_parameters.factor"),
        ({"rope_type": "linear", "factor": -2.0}, "rope_parameters.factor"),
        ({"rope_type": "dynamic", "factor": 2.0, "original_max_position_embeddings": 9}, "original_max_position"),
        ({"rope_type": "longrope", "short_factor": [1.0], "long_factor": [1.0] * 6}, "short_factor"),
        ({"rope_type": "llama3", "factor": 8.0}, "low_freq_factor"),
        ({"rope_type": "default", "partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"full_attention": {"rope_type": "default"}}, "full_attention"),
        ([1], "rope_parameters"),
    ],
)
def test_positions_that_we_do_not_turn_are_refused_by_name(tmp_path, rope, named):
    save_decoder(tmp_path, "LlamaForCausalLM", SIZES)
    values = json.loads((tmp_path / "config.json").read_text()) | {"rope_parameters": rope}
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(CheckpointError, match=named):
        open_checkpoint(tmp_path)
