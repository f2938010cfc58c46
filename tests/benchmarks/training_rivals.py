"""What our trainer is measured against: the same models written plainly in torch, and in transformers.

Each takes our model's weights, and makes its steps as its own examples do: AdamW as it comes, gradients cut to 1.
"""

# B batch, N tokens, K source tokens, Q target tokens, W width, V vocabulary

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GPT2LMHeadModel
from transformers.utils import logging

from modelcore.checkpoints.writer import save_checkpoint
from modelcore.config import ModelConfig
from modelcore.models.build import Transformer
from modelcore.training.loop import Optimisation
from modelcore.training.pairs import IGNORED, PairBatch


class Rival:
    """A model with its optimiser; `step` returns the loss of its batch."""

    def __init__(self, model: nn.Module, loss: Callable[[Any], Tensor], rate: float, settings: Optimisation) -> None:
        self._model, self._loss, self._cut = model.train(), loss, settings.gradient_norm
        groups = [
            {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": settings.weight_decay},
            {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
        ]
        self._optimiser = torch.optim.AdamW(groups, lr=rate, betas=settings.betas, eps=settings.epsilon)

    def step(self, batch: Any) -> float:
        loss = self._loss(batch)
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._cut)
        self._optimiser.step()
        return loss.item()


def plain_gpt(ours: Transformer, rate: float, settings: Optimisation) -> Rival:
    """nanoGPT's model: one product for q, k and v, SDPA, GELU, tied output."""
    model = _PlainGpt(ours.config)
    _take(model, ours)

    def loss(ids_BN: Tensor) -> Tensor:
        return _next_token_loss(model(ids_BN[:, :-1]), ids_BN)

    return Rival(model, loss, rate, settings)


def transformers_gpt2(ours: Transformer, rate: float, settings: Optimisation) -> Rival:
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        save_checkpoint(Path(folder), ours, "gpt2")
        off: dict[str, Any] = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="sdpa", **off)

    def loss(ids_BN: Tensor) -> Tensor:
        return _next_token_loss(model(ids_BN[:, :-1], use_cache=False).logits, ids_BN)

    return Rival(model, loss, rate, settings)


def torch_transformer(ours: Transformer, rate: float, settings: Optimisation) -> Rival:
    """torch.nn.Transformer, but for the two normalisations at its ends, which the paper does not have."""
    model = _TorchTransformer(ours.config)
    _take(model, ours)
    return Rival(model, model.loss, rate, settings)


def _next_token_loss(logits_BNV: Tensor, ids_BN: Tensor) -> Tensor:
    return F.cross_entropy(logits_BNV.flatten(0, 1), ids_BN[:, 1:].flatten())


class _PlainBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.expand, self.contract = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x_BNW: Tensor) -> Tensor:
        batch, tokens, width = x_BNW.shape
        parts = self.attention(self.norm_1(x_BNW)).split(width, dim=2)
        q, k, v = (part.view(batch, tokens, self.heads, -1).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x_BNW = x_BNW + self.output(mixed.transpose(1, 2).contiguous().view(batch, tokens, width))
        return x_BNW + self.contract(F.gelu(self.expand(self.norm_2(x_BNW)), approximate="tanh"))


class _PlainGpt(nn.Module):
    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.decoder is not None
        width, stack = config.width, config.decoder
        self.tokens, self.positions = nn.Embedding(config.vocabulary, width), nn.Embedding(config.positions, width)
        self.blocks = nn.ModuleList(_PlainBlock(width, stack.heads) for _ in range(stack.layers))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, config.vocabulary, bias=False)
        self.head.weight = self.tokens.weight

    def forward(self, ids_BN: Tensor) -> Tensor:
        x_BNW = self.tokens(ids_BN) + self.positions(torch.arange(ids_BN.shape[1]))
        for block in self.blocks:
            x_BNW = block(x_BNW)
        logits: Tensor = self.head(self.norm(x_BNW))
        return logits


class _TorchTransformer(nn.Module):
    positions_PW: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        assert config.encoder is not None
        width, stack = config.width, config.encoder
        self.tokens, self.scale = nn.Embedding(config.vocabulary, width), config.embedding_scale
        sizes = (width, stack.heads, stack.feedforward_width)
        kind: dict[str, Any] = {"dropout": 0.0, "batch_first": True, "activation": "relu"}
        encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(*sizes, **kind), stack.layers, enable_nested_tensor=False
        )
        decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(*sizes, **kind), stack.layers)
        self.transformer = nn.Transformer(
            width, stack.heads, custom_encoder=encoder, custom_decoder=decoder, batch_first=True
        )
        self.head = nn.Linear(width, config.vocabulary)
        self.head.weight = self.tokens.weight
        self.register_buffer("positions_PW", torch.empty(config.positions, width))

    def loss(self, pairs: PairBatch) -> Tensor:
        source_BK, target_BQ = pairs.source_BK, pairs.target_BQ
        padding_BK = torch.arange(source_BK.shape[1]) >= pairs.source_lengths_B[:, None]
        mixed_BQW = self.transformer(
            self._embedded(source_BK),
            self._embedded(target_BQ),
            tgt_mask=nn.Transformer.generate_square_subsequent_mask(target_BQ.shape[1]),
            src_key_padding_mask=torch.zeros(padding_BK.shape).masked_fill(padding_BK, -torch.inf),
            memory_key_padding_mask=torch.zeros(padding_BK.shape).masked_fill(padding_BK, -torch.inf),
            tgt_is_causal=True,
        )
        return F.cross_entropy(self.head(mixed_BQW).flatten(0, 1), pairs.labels_BQ.flatten(), ignore_index=IGNORED)

    def _embedded(self, ids_BN: Tensor) -> Tensor:
        return self.tokens(ids_BN) * self.scale + self.positions_PW[: ids_BN.shape[1]]


# Parts of their names and ours; the first that a name ends with counts.
OF_PLAIN = {
    "tokens": "tokens",
    "head": "tokens",
    "positions": "decoder_embedding.positions",
    "output": "self_attention.output",
    "expand": "feedforward.expand",
    "contract": "feedforward.contract",
    "norm_1": "self_attention_residual.norm",
    "norm_2": "feedforward_residual.norm",
}
OF_TORCH = {
    "tokens": "tokens",
    "head": "tokens",
    "self_attn.out_proj": "self_attention.output",
    "multihead_attn.out_proj": "cross_attention.output",
    "linear1": "feedforward.expand",
    "linear2": "feedforward.contract",
    "norm1": "self_attention_residual.norm",
    "norm3": "feedforward_residual.norm",
}
JOINED = {"attention": "self_attention", "self_attn": "self_attention", "multihead_attn": "cross_attention"}


@torch.no_grad()
def _take(model: _PlainGpt | _TorchTransformer, ours: Transformer) -> None:
    """Our weights; what joins q, k and v takes them one above the other."""
    state = ours.state_dict()
    if isinstance(model, _TorchTransformer):
        table: Any = ours.get_submodule("decoder_embedding.positions")
        model.positions_PW.copy_(table.table_PW)
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.cat([state[one] for one in _names_here(name)]))


def _names_here(name: str) -> list[str]:
    """Our tensors that make one of theirs."""
    path, _, kind = name.rpartition(".")
    if name == "head.bias":
        return [name]
    block, _, part = path.removeprefix("transformer.").replace(".layers.", ".blocks.").rpartition(".")
    if name.startswith("blocks."):
        block = f"decoder.{block}"
    if part in JOINED:
        kind = kind.removeprefix("in_proj_")
        return [f"{block}.{JOINED[part]}.{role}.{kind}" for role in ("query", "key", "value")]
    if part == "norm":
        return [f"decoder.norm.{kind}"]
    if part == "norm2":
        branch = "cross_attention" if block.startswith("decoder") else "feedforward"
        return [f"{block}.{branch}_residual.norm.{kind}"]
    table = OF_TORCH if name.startswith("transformer.") else OF_PLAIN
    theirs = next(theirs for theirs in table if f".{block}.{part}".endswith(f".{theirs}"))
    prefix = f".{block}.{part}".removesuffix(theirs).removeprefix(".").lstrip(".")
    return [f"{prefix}{table[theirs]}.{kind}"]
