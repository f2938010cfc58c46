"""What decoders' files may look like: bare models, other heads, old names; and what is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from modelcore.config import ModelConfig, Rotary, StackConfig
from modelcore.models.build import build
from tests.modelcore.agreement import assert_same_logits
from tests.modelcore.decoder_variants import (
    BLOOM,
    GPT2,
    IDS,
    OPT,
    SIZES,
    UNSHARED,
    save_decoder,
    save_variant,
)


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


def rename_tensors(folder: Path, rename: Callable[[str], str]) -> None:
    file = folder / "model.safetensors"
    save_file({rename(name): tensor for name, tensor in load_file(file).items()}, file)


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        open_checkpoint(folder).load()
    return str(refused.value)


UNTIED_BARE = {
    "LlamaModel": SIZES,
    "GPTNeoXModel": UNSHARED,
    "MixtralModel": SIZES,
    "PhiModel": SIZES,
    "Phi3Model": SIZES,
    "Olmo2Model": SIZES,
    "OPTModel": OPT | {"tie_word_embeddings": False},
}


@pytest.mark.parametrize("class_name", UNTIED_BARE)
@pytest.mark.parametrize("architectures", [True, False])
def test_bare_model_gives_hidden_states(tmp_path, class_name, architectures):
    outside = save_decoder(tmp_path, class_name, UNTIED_BARE[class_name])
    if not architectures:
        change_config(tmp_path, architectures=None)
    checkpoint = open_checkpoint(tmp_path)
    model = checkpoint.load()
    assert checkpoint.config.head.output == "hidden"
    save_checkpoint(tmp_path / "ours", model, checkpoint.family)
    reopened = type(outside).from_pretrained(
        tmp_path / "ours", attn_implementation="eager", experts_implementation="eager"
    )
    with torch.inference_mode():
        assert_same_logits(model(IDS), outside(IDS).last_hidden_state)
        assert_same_logits(reopened(IDS).last_hidden_state, model(IDS))


TIED_BARE: dict[str, tuple[dict[str, Any], Callable[[Any], Tensor]]] = {
    "GPT2Model": (GPT2, lambda model: model.wte.weight),
    "BloomModel": (BLOOM, lambda model: model.word_embeddings.weight),
    "OPTModel": (OPT, lambda model: model.decoder.embed_tokens.weight),
    "GemmaModel": (SIZES, lambda model: model.embed_tokens.weight),
}


@pytest.mark.parametrize("class_name", TIED_BARE)
def test_bare_model_with_tied_tokens_still_speaks(tmp_path, class_name):
    settings, tokens_of = TIED_BARE[class_name]
    outside = save_decoder(tmp_path, class_name, settings)
    with torch.inference_mode():
        expected = outside(IDS).last_hidden_state @ tokens_of(outside).T
        assert_same_logits(open_checkpoint(tmp_path).load()(IDS), expected)


@pytest.mark.parametrize(
    ("class_name", "settings"),
    [("GPT2ForSequenceClassification", GPT2), ("LlamaForSequenceClassification", SIZES)],
)
def test_classifier_gives_the_states_that_its_head_reads(tmp_path, class_name, settings):
    outside = save_decoder(tmp_path, class_name, settings)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.unused == ["score.weight"]
    with torch.inference_mode():
        expected = outside(IDS[:1], output_hidden_states=True).hidden_states[-1]
        assert_same_logits(checkpoint.load()(IDS[:1]), expected)


def test_head_that_config_promises_and_the_file_lacks_is_named(tmp_path):
    save_decoder(tmp_path, "LlamaModel", SIZES)
    change_config(tmp_path, architectures=["LlamaForCausalLM"])
    assert "lm_head.weight is missing" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("name", "rename"),
    [
        ("gpt2", lambda name: name.removeprefix("transformer.")),
        ("gpt_neox", lambda name: name.replace("embed_out", "lm_head").removeprefix("gpt_neox.")),
        ("llama", lambda name: name.removeprefix("model.")),
        ("opt", lambda name: name.removeprefix("model.")),
        ("bloom", lambda name: name.removeprefix("transformer.")),
    ],
)
def test_old_names_without_prefix_are_read(tmp_path, name, rename):
    save_variant(tmp_path, name)
    with torch.inference_mode():
        before = open_checkpoint(tmp_path).load()(IDS)
        rename_tensors(tmp_path, rename)
        assert torch.equal(open_checkpoint(tmp_path).load()(IDS), before)
    assert open_checkpoint(tmp_path).unused == []


def test_older_keys_of_bloom_are_read(tmp_path):
    save_variant(tmp_path, "bloom")
    before = open_checkpoint(tmp_path).config
    values = json.loads((tmp_path / "config.json").read_text())
    for newer, older in (
        ("hidden_size", "n_embed"),
        ("n_layer", "num_hidden_layers"),
        ("n_head", "num_attention_heads"),
    ):
        values[older] = values.pop(newer)
    (tmp_path / "config.json").write_text(json.dumps(values))
    assert open_checkpoint(tmp_path).config == before


def test_first_gemma_files_mean_the_approximation_by_gelu(tmp_path):
    save_variant(tmp_path, "gemma")
    before = open_checkpoint(tmp_path).config
    change_config(tmp_path, hidden_act="gelu")
    assert open_checkpoint(tmp_path).config == before


def test_end_token_outside_the_vocabulary_is_none(tmp_path):
    save_variant(tmp_path, "llama")
    change_config(tmp_path, eos_token_id=[128_001, 128_009])
    assert open_checkpoint(tmp_path).config.end_token is None


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("gpt2", {"add_cross_attention": True}, "add_cross_attention"),
        ("gpt2", {"rotary_dim": 8}, "rotary_dim"),
        ("gpt_neox", {"use_parallel_residual": "yes"}, "use_parallel_residual"),
        ("gpt_neox", {"rope_parameters": {"partial_rotary_factor": 2.0}}, "partial_rotary_factor"),
        ("llama", {"num_attention_heads": 5}, "q_proj.weight"),
        ("llama", {"head_dim": 11}, "head width"),
        ("llama", {"hidden_act": "mystery"}, "hidden_act"),
        ("llama", {"attention_bias": "no"}, "attention_bias"),
        ("llama", {"sliding_window": 5}, "sliding_window"),
        ("llama", {"qk_norm": True}, "qk_norm"),
        ("llama", {"quantization_config": {"bits": 4}}, "quantization_config"),
        ("mistral", {"sliding_window": 0}, "sliding_window"),
        ("mistral", {"layer_types": ["full_attention"] * 3}, "layer_types"),
        ("qwen2", {"layer_types": ["sliding_attention"] * 3}, "sliding_window"),
        ("qwen3", {"layer_types": ["chunked_attention"] * 3}, "layer_types"),
        ("gemma", {"use_bidirectional_attention": True}, "use_bidirectional_attention"),
        ("gemma2", {"attn_logit_softcapping": -1.0}, "attn_logit_softcapping"),
        ("gemma3", {"attn_logit_softcapping": 50.0}, "attn_logit_softcapping"),
        ("gemma3", {"hidden_act": "relu"}, "hidden_activation"),
        ("olmo", {"clip_qkv": 0}, "clip_qkv"),
        ("olmo2", {"sliding_window": 8}, "sliding_window"),
        ("phi", {"head_dim": 14}, "head_dim"),
        ("phi3", {"attention_bias": True}, "attention_bias"),
        ("mixtral", {"num_experts_per_tok": 6}, "experts"),
        ("mixtral", {"num_local_experts": 10**6}, "experts.999999"),
        ("opt", {"word_embed_proj_dim": 20, "tie_word_embeddings": False}, "word_embed_proj_dim"),
        ("opt", {"activation_function": "mystery"}, "activation_function"),
        ("bloom", {"apply_residual_connection_post_layernorm": True}, "apply_residual_connection_post_layernorm"),
        ("bloom", {"alibi": False}, "alibi"),
    ],
)
def test_setting_that_we_do_not_compute_is_refused_by_name(tmp_path, name, changes, named):
    save_variant(tmp_path, name)
    change_config(tmp_path, **changes)
    message = refusal(tmp_path)
    assert named in message
    assert len(message) <= 300


ROTARY = {"position_encoding": "rotary", "gated": True, "norm": "rms"}
PLAIN = {"attention_bias": False, "attention_output_bias": False, "feedforward_bias": False, "activation": "silu"}


@pytest.mark.parametrize(
    ("family", "choices", "lost"),
    [
        ("gpt2", {"norm_placement": "post"}, "norm_placement"),
        ("gpt2", ROTARY, "position_encoding"),
        ("llama", ROTARY | PLAIN | {"sinks": True}, "sinks"),
        ("llama", ROTARY | PLAIN | {"norm_placement": "post"}, "norm_placement"),
        ("llama", ROTARY | PLAIN | {"rotary": Rotary(width=2)}, "rotary.width"),
        ("mixtral", ROTARY | PLAIN, "decoder.experts"),
        ("gemma", ROTARY | PLAIN | {"norm_unit_offset": True}, "embedding_scale"),
        ("bloom", {"position_encoding": "alibi"}, "embedding_norm"),
    ],
)
def test_model_that_a_family_cannot_tell_is_not_written(tmp_path, family, choices, lost):
    config = ModelConfig(vocabulary=31, positions=20, width=12, decoder=StackConfig(2, 3, 48), **choices)
    with pytest.raises(CheckpointError, match=lost):
        save_checkpoint(tmp_path / "ours", build(config), family)
    assert not (tmp_path / "ours").exists()


# What files of the hub say besides, and what changes nothing.
IDLE = {
    "gpt2": {"n_ctx": 65, "summary_type": "cls_index", "task_specific_params": {"text-generation": {}}},
    "gpt_neox": {"hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0, "gradient_checkpointing": False},
    "llama": {"pretraining_tp": 2, "is_llama_config": True, "rope_interleaved": False, "transformers.js_config": {}},
    "mistral": {"rope_scaling": None, "torch_dtype": "bfloat16"},
    "qwen2": {"use_mrope": False, "sliding_window": 131_072, "use_sliding_window": False, "max_window_layers": 0},
    "gemma": {"hidden_activation": "gelu_pytorch_tanh", "cache_implementation": "hybrid"},
    "gemma2": {"cache_implementation": "hybrid", "sliding_window_size": 7, "hidden_act": "gelu_pytorch_tanh"},
    "gemma3": {"sliding_window_pattern": 6, "cache_implementation": "hybrid"},
    "olmo": {"rope_scaling": None, "clip_qkv": None},
    "phi": {"resid_pdrop": 0.1, "embd_pdrop": 0.0, "auto_map": {"AutoConfig": "a.B"}},
    "phi3": {"attention_bias": False, "lm_head_bias": False, "full_attn_mod": 1, "interpolate_factor": 1},
    "mixtral": {"output_router_logits": False, "router_aux_loss_coef": 0.02, "head_dim": None},
    "opt": {"prefix": "</s>", "learned_embeddings": True, "scale_embeddings": False, "activation_dropout": 0.0},
    "bloom": {"n_inner": None, "offset_alibi": 100, "skip_bias_add": True, "masked_softmax_fusion": True},
}


@pytest.mark.parametrize("name", IDLE)
def test_setting_that_changes_nothing_is_read_over(tmp_path, name):
    save_variant(tmp_path, name)
    before = open_checkpoint(tmp_path).config
    change_config(tmp_path, **IDLE[name])
    assert open_checkpoint(tmp_path).config == before
