"""Shrunk decoders of every family, named by what is special about them: an outside class and its settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.modelcore.shrunk import save_model

VOCABULARY = 83
LENGTHS = (1, 31, 65)
IDS = torch.randint(0, VOCABULARY, (2, LENGTHS[-1]), generator=torch.Generator().manual_seed(1))

TOKENS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
# Three heads of width 12 that share one key head.
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 36,
    "intermediate_size": 50,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "num_key_value_heads": 1,
    "max_position_embeddings": 65,
    **TOKENS,
}
UNSHARED = {key: size for key, size in SIZES.items() if key != "num_key_value_heads"}
# Ten heads that share five key heads, whose width is not hidden_size / heads.
WIDE = SIZES | {"hidden_size": 50, "num_attention_heads": 10, "num_key_value_heads": 5, "head_dim": 14}
# Three heads of width 11.
GPT2 = {"vocab_size": VOCABULARY, "n_positions": 65, "n_embd": 33, "n_layer": 3, "n_head": 3, **TOKENS}
OPT = {key: size for key, size in UNSHARED.items() if key != "intermediate_size"}
OPT |= {"hidden_size": 35, "num_attention_heads": 5, "ffn_dim": 50}
BLOOM = {"vocab_size": VOCABULARY, "hidden_size": 33, "n_layer": 3, "n_head": 3, **TOKENS}
LAYER_TYPES = ["sliding_attention", "full_attention", "sliding_attention"]
WINDOWS = {"sliding_window": 7, "layer_types": LAYER_TYPES}
GEMMA2 = {"head_dim": 10, "query_pre_attn_scalar": 24, **WINDOWS}
LONGROPE = {
    "rope_type": "longrope",
    "short_factor": [1.0, 1.1, 1.2, 1.5, 2.0, 3.0],
    "long_factor": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
}

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2LMHeadModel", GPT2),
    "gpt2 untied": ("GPT2LMHeadModel", GPT2 | {"tie_word_embeddings": False, "activation_function": "relu"}),
    "gpt2 unscaled": ("GPT2LMHeadModel", GPT2 | {"scale_attn_weights": False, "n_inner": 50}),
    "gpt2 scaled by layer": ("GPT2LMHeadModel", GPT2 | {"scale_attn_by_inverse_layer_idx": True}),
    "gpt2 unscaled by layer": (
        "GPT2LMHeadModel",
        GPT2 | {"scale_attn_by_inverse_layer_idx": True, "scale_attn_weights": False},
    ),
    "gpt_neox": ("GPTNeoXForCausalLM", UNSHARED | {"rotary_pct": 0.5}),
    "gpt_neox turned by an odd number": ("GPTNeoXForCausalLM", UNSHARED | {"rotary_pct": 0.25}),
    "gpt_neox sequential": ("GPTNeoXForCausalLM", UNSHARED | {"use_parallel_residual": False, "rotary_pct": 1.0}),
    "gpt_neox tied, no biases": (
        "GPTNeoXForCausalLM",
        UNSHARED | {"attention_bias": False, "tie_word_embeddings": True, "rotary_pct": 0.17, "rotary_emb_base": 500},
    ),
    "llama": ("LlamaForCausalLM", SIZES),
    "llama wide, biases, tied": (
        "LlamaForCausalLM",
        WIDE | {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True, "hidden_act": "gelu"},
    ),
    "mistral": ("MistralForCausalLM", SIZES | {"sliding_window": 7}),
    "mistral without window": ("MistralForCausalLM", WIDE | {"sliding_window": None}),
    "qwen2": ("Qwen2ForCausalLM", SIZES),
    "qwen2 windows above": (
        "Qwen2ForCausalLM",
        SIZES | {"use_sliding_window": True, "sliding_window": 5, "max_window_layers": 1},
    ),
    "qwen3": ("Qwen3ForCausalLM", WIDE),
    "qwen3 windows by layer, biases": (
        "Qwen3ForCausalLM",
        SIZES | {"head_dim": 12, "use_sliding_window": True, "attention_bias": True} | WINDOWS,
    ),
    "gemma": ("GemmaForCausalLM", WIDE),
    "gemma2": ("Gemma2ForCausalLM", SIZES | GEMMA2),
    "gemma2 without softcaps": (
        "Gemma2ForCausalLM",
        WIDE | GEMMA2 | {"attn_logit_softcapping": None, "final_logit_softcapping": None},
    ),
    "gemma3": ("Gemma3ForCausalLM", SIZES | GEMMA2),
    "gemma3 softcapped, untied": (
        "Gemma3ForCausalLM",
        WIDE | GEMMA2 | {"final_logit_softcapping": 20.0, "tie_word_embeddings": False, "sliding_window": 30},
    ),
    "olmo": ("OlmoForCausalLM", SIZES),
    "olmo clipped": ("OlmoForCausalLM", UNSHARED | {"clip_qkv": 0.7, "attention_bias": True}),
    "olmo2": ("Olmo2ForCausalLM", SIZES),
    "olmo3": ("Olmo3ForCausalLM", SIZES | WINDOWS),
    "phi": ("PhiForCausalLM", UNSHARED),
    "phi qk-normalised": ("PhiForCausalLM", SIZES | {"qk_layernorm": True, "partial_rotary_factor": 0.67}),
    "phi3": ("Phi3ForCausalLM", SIZES | {"sliding_window": 7}),
    "phi3 partly rotary": (
        "Phi3ForCausalLM",
        SIZES | {"partial_rotary_factor": 0.5, "num_attention_heads": 6, "num_key_value_heads": 2, "hidden_size": 72},
    ),
    "phi3 longrope": (
        "Phi3ForCausalLM",
        SIZES | {"original_max_position_embeddings": 24, "rope_scaling": LONGROPE},
    ),
    "mixtral": ("MixtralForCausalLM", SIZES | {"num_local_experts": 5, "num_experts_per_tok": 3}),
    "mixtral with window": ("MixtralForCausalLM", WIDE | {"num_local_experts": 3, "sliding_window": 7}),
    "opt": ("OPTForCausalLM", OPT),
    "opt post-norm, projected": (
        "OPTForCausalLM",
        OPT | {"do_layer_norm_before": False, "word_embed_proj_dim": 20, "activation_function": "gelu"},
    ),
    "opt bare": (
        "OPTForCausalLM",
        OPT
        | {"enable_bias": False, "layer_norm_elementwise_affine": False, "tie_word_embeddings": False}
        | {"_remove_final_layer_norm": True},
    ),
    "bloom": ("BloomForCausalLM", BLOOM),
    "bloom of eight heads, untied": (
        "BloomForCausalLM",
        BLOOM | {"hidden_size": 40, "n_head": 8, "tie_word_embeddings": False},
    ),
}


def save_variant(folder: Path, name: str, **changes: Any) -> Any:
    class_name, settings = VARIANTS[name]
    return save_decoder(folder, class_name, settings | changes)


def save_decoder(folder: Path, class_name: str, settings: dict[str, Any]) -> Any:
    kind = getattr(transformers, class_name)
    config = kind.config_class(**settings)
    # The fast experts of the outside implementation refuse odd widths.
    config._experts_implementation = "eager"
    return save_model(kind, config, folder)
