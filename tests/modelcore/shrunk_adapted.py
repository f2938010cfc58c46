"""Small random checkpoints of architectures that have no family of ours, made by the outside implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from modelcore.adapters.open import AdaptedCheckpoint, open_adapted

transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

# Six heads share two of keys and values; a text of TEXT is longer than the window.
GROUPED = {"num_attention_heads": 6, "num_key_value_heads": 2}
DECODER = {
    "vocab_size": 61,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "max_position_embeddings": 64,
    **GROUPED,
}
ENCODER = {
    "vocab_size": 61,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 3,
    "max_position_embeddings": 64,
}
ENCODER_DECODER = {
    "vocab_size": 61,
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 40,
    "decoder_ffn_dim": 30,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "decoder_start_token_id": 1,
}
PICTURE = {
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "image_size": 20,
    "patch_size": 5,
}
LATENT = {
    "q_lora_rank": 10,
    "kv_lora_rank": 8,
    "qk_nope_head_dim": 8,
    "qk_rope_head_dim": 4,
    "v_head_dim": 6,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 12,
    "n_group": 1,
    "topk_group": 1,
    "first_k_dense_replace": 1,
}

# The class, and what its configuration is made of; the name is that of the class's configuration.
ADAPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "GptOss": (
        "GptOssForCausalLM",
        {**DECODER, "head_dim": 8, "num_local_experts": 3, "num_experts_per_tok": 2, "sliding_window": 4},
    ),
    "Cohere": ("CohereForCausalLM", {**DECODER, "use_qk_norm": True}),
    "Cohere2": ("Cohere2ForCausalLM", {**DECODER, "sliding_window": 4, "layer_types": None}),
    "Starcoder2": ("Starcoder2ForCausalLM", {**DECODER, "sliding_window": 5}),
    "Granite": ("GraniteForCausalLM", {**DECODER, "attention_multiplier": 0.3}),
    "StableLm": ("StableLmForCausalLM", DECODER),
    "Glm": ("GlmForCausalLM", {**DECODER, "head_dim": 8, "pad_token_id": 0}),
    "Qwen2Moe": (
        "Qwen2MoeForCausalLM",
        {
            **DECODER,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 12,
            "shared_expert_intermediate_size": 12,
        },
    ),
    "DeepseekV2": ("DeepseekV2ForCausalLM", {**DECODER, **LATENT, "num_key_value_heads": 6, "topk_method": "greedy"}),
    "DeepseekV3": ("DeepseekV3ForCausalLM", {**DECODER, **LATENT, "num_key_value_heads": 6, "n_shared_experts": 1}),
    "GPTJ": ("GPTJForCausalLM", {"vocab_size": 61, "n_embd": 24, "n_layer": 2, "n_head": 3, "rotary_dim": 4}),
    "Falcon": (
        "FalconForCausalLM",
        {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3, "multi_query": True},
    ),
    "Jamba": (
        "JambaForCausalLM",
        {
            **DECODER,
            "num_hidden_layers": 4,
            "attn_layer_period": 2,
            "attn_layer_offset": 1,
            "num_experts": 2,
            "num_experts_per_tok": 1,
            "mamba_d_state": 4,
            "mamba_dt_rank": 4,
            "use_mamba_kernels": False,
            "pad_token_id": 0,
        },
    ),
    "Llama4Text": (
        "Llama4ForCausalLM",
        {
            **DECODER,
            "head_dim": 4,
            "intermediate_size_mlp": 40,
            "num_local_experts": 2,
            "attention_chunk_size": 4,
            "pad_token_id": 0,
        },
    ),
    "VaultGemma": (
        "VaultGemmaForCausalLM",
        {**DECODER, "head_dim": 8, "attn_logit_softcapping": 1.5, "query_pre_attn_scalar": 3, "sliding_window": 5},
    ),
    "Pegasus": ("PegasusForConditionalGeneration", ENCODER_DECODER),
    "MBart": ("MBartForConditionalGeneration", ENCODER_DECODER),
    "UMT5": (
        "UMT5ForConditionalGeneration",
        {"vocab_size": 61, "d_model": 24, "d_kv": 6, "d_ff": 40, "num_layers": 2, "num_heads": 3},
    ),
    "Albert": ("AlbertForMaskedLM", {**ENCODER, "embedding_size": 10}),
    "MPNet": ("MPNetForMaskedLM", ENCODER),
    "ModernBert": (
        "ModernBertForMaskedLM",
        {**ENCODER, "local_attention": 6, "global_attn_every_n_layers": 2, "pad_token_id": 0},
    ),
    "DebertaV2": (
        "DebertaV2ForMaskedLM",
        {**ENCODER, "relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8},
    ),
    "BigBird": ("BigBirdForMaskedLM", ENCODER),
    "Dinov2": ("Dinov2ForImageClassification", PICTURE),
    "CLIPVision": ("CLIPVisionModel", PICTURE),
    "SiglipVision": ("SiglipVisionModel", PICTURE),
    "Beit": ("BeitForImageClassification", {**PICTURE, "use_relative_position_bias": True}),
    "Mamba": ("MambaForCausalLM", {"vocab_size": 61, "hidden_size": 24, "num_hidden_layers": 2, "state_size": 4}),
}

TEXT = torch.tensor([[5, 9, 7, 17, 20, 30, 11, 12, 9, 44, 22, 53, 8]])
TARGET = torch.tensor([[13, 28, 15, 21, 36, 33]])
PIXELS = torch.randn(1, 3, 20, 20, generator=torch.Generator().manual_seed(1))


def save(name: str, folder: Path, **changes: Any) -> Any:
    """Saves the architecture and returns it as transformers runs it by itself, under eager attention.

    Weights are drawn large, so that attention is peaked and an error in any of them shows.
    """
    kind, settings = ADAPTED[name]
    config = getattr(transformers, f"{name}Config")(**(settings | changes))
    config._attn_implementation = "eager"
    model = getattr(transformers, kind)(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight_name, weight in model.named_parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator))
            weight.mul_(0.2 if weight.dim() < 2 else 1.5 * weight.shape[-1] ** -0.5)
            if weight.dim() == 1 and weight_name.endswith("weight"):
                weight.add_(1.0)
    model.save_pretrained(folder)
    return model


def read_config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())


def open_saved(folder: Path, **changes: Any) -> AdaptedCheckpoint:
    """The checkpoint, its config.json changed first."""
    return open_adapted(folder, read_config(folder) | changes)


def inputs_for(checkpoint: AdaptedCheckpoint) -> tuple[Tensor, ...]:
    return {"vision": (PIXELS,), "encoder-decoder": (TEXT, TARGET)}.get(checkpoint.config.architecture, (TEXT,))
