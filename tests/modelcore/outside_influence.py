"""Shrunk models of transformers, watched from outside, that readings of influence are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor

from modelcore.analysis.influence.gradient import Target
from modelcore.analysis.request import TraceRequest
from tests.modelcore.shrunk import SHAPES_MARIAN, TOKENS_MARIAN, save_gpt2, save_model

# H heads, N tokens, Q queries, K keys, D head width, W model width

IDS = [5, 17, 3, 44, 5, 17, 60, 2, 33]
SOURCE, TARGET = [4, 9, 33, 8, 0], [70, 21, 5, 60, 12, 3, 1]

LLAMA = {"vocab_size": 83, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3}
LLAMA |= {"num_attention_heads": 4, "num_key_value_heads": 2, "attention_bias": True}
BERT = {"vocab_size": 83, "hidden_size": 30, "num_hidden_layers": 3, "num_attention_heads": 3}
BERT |= {"intermediate_size": 44, "max_position_embeddings": 40}
VIT = {"hidden_size": 30, "num_hidden_layers": 3, "num_attention_heads": 5, "intermediate_size": 44}
VIT |= {"image_size": 15, "patch_size": 4, "num_labels": 7}


class Outside:
    """A shrunk model of transformers with its eager attention, and by site what its attention modules made of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        if name == "gpt2":
            self.model = save_gpt2(folder)
        else:
            kind, settings = {
                "llama": (transformers.LlamaForCausalLM, LLAMA),
                "bert": (transformers.BertForMaskedLM, BERT),
                "marian": (transformers.MarianMTModel, SHAPES_MARIAN | TOKENS_MARIAN | {"scale_embedding": True}),
                "vit": (transformers.ViTForImageClassification, VIT),
            }[name]
            self.model = save_model(kind, kind.config_class(**settings), folder)
        self.model.set_attn_implementation("eager")

    def request(self) -> TraceRequest:
        if self.name == "vit":
            return TraceRequest(pixels=torch.randn(1, 3, 15, 15, generator=torch.Generator().manual_seed(4)))
        return TraceRequest(ids=SOURCE, target_ids=TARGET) if self.name == "marian" else TraceRequest(ids=IDS)

    def run(self, target: Target) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The maps [H, Q, K] and the gradients of the target's logit by them, as autograd has it."""
        request = self.request()
        if self.name == "vit":
            given = {"pixel_values": request.pixels}
        elif self.name == "marian":
            given = {"input_ids": torch.tensor([SOURCE]), "decoder_input_ids": torch.tensor([TARGET])}
        else:
            given = {"input_ids": torch.tensor([IDS])}
        output = self.model(**given, output_attentions=True)
        maps = self.by_site(output)
        for map_ in maps.values():
            map_.retain_grad()
        scores = output.logits[0] if self.name == "vit" else output.logits[0, target.position]
        scores[target.token].backward()
        zero = {site: torch.zeros_like(map_) for site, map_ in maps.items()}
        gradients = {site: zero[site][0] if map_.grad is None else map_.grad[0] for site, map_ in maps.items()}
        return {site: map_[0].detach() for site, map_ in maps.items()}, gradients

    def by_site(self, output: Any) -> dict[str, Tensor]:
        if self.name == "marian":
            kinds = {"encoder.self": output.encoder_attentions, "decoder.self": output.decoder_attentions}
            kinds["decoder.cross"] = output.cross_attentions
        else:
            stack = "encoder" if self.name in ("bert", "vit") else "decoder"
            kinds = {f"{stack}.self": output.attentions}
        return {f"{kind}.{layer}": map_ for kind, maps in kinds.items() for layer, map_ in enumerate(maps)}

    def values_and_outputs(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each site the value of each key and query head, [H, K, D], and its part of W_O, [H, D, W], from hooks on
        the modules and from the weights."""
        seen: dict[str, Tensor] = {}
        parts: dict[str, tuple[Tensor, int]] = {}
        handles = []

        def watch(site: str, value: Any, output: Any, heads: int, cut: slice = slice(None)) -> None:
            def keep(_: Any, __: Any, given: Tensor) -> None:
                seen[site] = given[0, :, cut].detach()

            handles.append(value.register_forward_hook(keep))
            # GPT-2's projections are stored the other way round.
            weight = output.weight.detach()
            parts[site] = (weight if self.name == "gpt2" else weight.T, heads)

        config, model = self.model.config, self.model
        if self.name == "gpt2":
            width = config.n_embd
            for layer, block in enumerate(model.transformer.h):
                cut = slice(2 * width, 3 * width)
                watch(f"decoder.self.{layer}", block.attn.c_attn, block.attn.c_proj, config.n_head, cut)
        elif self.name == "llama":
            for layer, block in enumerate(model.model.layers):
                own = block.self_attn
                watch(f"decoder.self.{layer}", own.v_proj, own.o_proj, config.num_attention_heads)
        elif self.name == "bert":
            for layer, block in enumerate(model.bert.encoder.layer):
                own = block.attention
                watch(f"encoder.self.{layer}", own.self.value, own.output.dense, config.num_attention_heads)
        elif self.name == "marian":
            for layer, block in enumerate(model.model.encoder.layers):
                own = block.self_attn
                watch(f"encoder.self.{layer}", own.v_proj, own.out_proj, config.encoder_attention_heads)
            for layer, block in enumerate(model.model.decoder.layers):
                for kind, own in (("self", block.self_attn), ("cross", block.encoder_attn)):
                    watch(f"decoder.{kind}.{layer}", own.v_proj, own.out_proj, config.decoder_attention_heads)
        else:
            for layer, block in enumerate(_vit_layers(model)):
                watch(f"encoder.self.{layer}", *_vit_projections(block), config.num_attention_heads)
        self.run(Target(0, 0))
        for handle in handles:
            handle.remove()
        found = {}
        for site, v_KI in seen.items():
            output_IW, heads = parts[site]
            width = len(output_IW) // heads
            v_GKD = v_KI.unflatten(1, (-1, width)).transpose(0, 1)
            v_HKD = v_GKD.repeat_interleave(heads // len(v_GKD), 0)
            found[site] = v_HKD, output_IW.unflatten(0, (heads, width))
        return found


def _vit_layers(model: Any) -> Any:
    return model.vit.layers if hasattr(model.vit, "layers") else model.vit.encoder.layer


def _vit_projections(block: Any) -> tuple[Any, Any]:
    own = block.attention
    if hasattr(own, "v_proj"):
        return own.v_proj, own.o_proj
    return own.attention.value, own.output.dense
