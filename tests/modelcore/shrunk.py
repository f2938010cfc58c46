"""Small random checkpoints of both families, made by the outside implementation itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers

transformers.utils.logging.disable_progress_bar()

SHAPES_GPT2 = {"vocab_size": 83, "n_positions": 65, "n_embd": 36, "n_layer": 3, "n_head": 3}
SHAPES_MARIAN = {
    "vocab_size": 71,
    "d_model": 24,
    "max_position_embeddings": 40,
    "encoder_layers": 2,
    "decoder_layers": 3,
    "encoder_attention_heads": 3,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 50,
    "decoder_ffn_dim": 44,
}
TOKENS_MARIAN = {"pad_token_id": 70, "decoder_start_token_id": 70, "eos_token_id": 0, "forced_eos_token_id": 0}


def save_gpt2(folder: Path, **changes: Any) -> transformers.GPT2LMHeadModel:
    """A GPT-2 of odd sizes."""
    config = transformers.GPT2Config(**(SHAPES_GPT2 | {"bos_token_id": 0, "eos_token_id": 0} | changes))
    return save_model(transformers.GPT2LMHeadModel, config, folder)


def save_marian(folder: Path, **changes: Any) -> transformers.MarianMTModel:
    """A Marian whose encoder and decoder differ in depth, heads and inner width."""
    choices = {"activation_function": "relu", "scale_embedding": True}
    config = transformers.MarianConfig(**(SHAPES_MARIAN | TOKENS_MARIAN | choices | changes))
    return save_model(transformers.MarianMTModel, config, folder)


def save_model(kind: Any, config: Any, folder: Path, spread: float = 0.3) -> Any:
    """Weights are drawn large, so that attention is peaked and an error in any of them shows.

    Those of normalisations are drawn around what they start as: 1, or 0 where 1 is added.
    """
    config._attn_implementation = "eager"
    model = kind(config).eval()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, weight in [*model.named_parameters(), *model.named_buffers()]:
            start = weight.mean() if weight.dim() == 1 and name.endswith("weight") else 0.0
            if weight.requires_grad or name == "final_logits_bias":
                weight.copy_(torch.randn(weight.shape, generator=generator) * spread + start)
    model.save_pretrained(folder)
    return model
