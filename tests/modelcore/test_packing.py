"""Padding is left out of a training's products, and nothing that is asked changes by it."""

# B batch, N tokens, K source tokens, Q target tokens

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.layers.linear import Linear
from modelcore.layers.packing import Packing, rows
from modelcore.models.build import build
from modelcore.training.pairs import IGNORED

STACK = StackConfig(layers=2, heads=2, feedforward_width=32)
LENGTHS = torch.tensor([7, 3, 1, 5])
TOKENS = 9


def config(kind: str, **more: Any) -> ModelConfig:
    stacks = {name: STACK for name in ("encoder", "decoder") if name in kind}
    head = HeadConfig(transform=kind == "encoder", transform_activation="gelu" if kind == "encoder" else None)
    return ModelConfig(vocabulary=20, positions=TOKENS, width=16, head=head, start_token=0, **stacks, **more)


def batch(kind: str) -> tuple[tuple[Tensor, ...], dict[str, Tensor], Tensor]:
    """What the model reads, with lengths, and labels, some of them in the middle of a text."""
    generator = torch.Generator().manual_seed(0)
    ids_BN = torch.randint(20, (4, TOKENS), generator=generator)
    labels_BN = torch.randint(20, (4, TOKENS), generator=generator)
    labels_BN[torch.arange(TOKENS) >= LENGTHS[:, None]] = IGNORED
    labels_BN[0, :4] = IGNORED
    if kind == "encoder-decoder":
        return (ids_BN.flip(1), ids_BN), {"source_lengths_B": LENGTHS.flip(0)}, labels_BN
    return (ids_BN,), {"lengths_B": LENGTHS} if kind == "encoder" else {}, labels_BN


KINDS = [
    ("decoder", {}),
    ("decoder", {"position_encoding": "rotary", "norm": "rms", "qk_norm": "head", "gated": True}),
    ("encoder", {}),
    ("encoder-decoder", {}),
    ("encoder-decoder", {"norm_placement": "post", "final_norm": False, "position_encoding": "sinusoidal"}),
]


@pytest.mark.parametrize(("kind", "more"), KINDS)
def test_logits_and_gradients_of_what_is_asked_are_those_with_padding(kind: str, more: dict[str, Any]) -> None:
    torch.manual_seed(0)
    model = build(config(kind, **more)).double().train()
    read, lengths, labels_BN = batch(kind)
    asked_BN = labels_BN != IGNORED
    name = "asked_BN" if kind == "encoder" else "asked_BQ"
    gradients = []
    for logits_AV in (model(*read, **lengths)[asked_BN], model(*read, **lengths, **{name: asked_BN})):
        model.zero_grad()
        F.cross_entropy(logits_AV, labels_BN[asked_BN]).backward()
        gradients.append((logits_AV.detach(), [parameter.grad for parameter in model.parameters()]))
    (padded, theirs), (packed, ours) = gradients
    assert torch.allclose(packed, padded, atol=1e-12)
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None) and (one is None or torch.allclose(one, other, atol=1e-12))


@pytest.mark.parametrize("kind", ["decoder", "encoder-decoder"])
def test_no_product_is_spent_on_padding(kind: str) -> None:
    torch.manual_seed(0)
    model = build(config(kind)).train()
    read, lengths, labels_BN = batch(kind)
    counted = list(_rows_of_products(model, lambda: model(*read, **lengths, asked_BQ=labels_BN != IGNORED)))
    assert counted and set(counted) == {int(LENGTHS.sum())}


def _rows_of_products(model: nn.Module, act: Any) -> Iterator[int]:
    seen: list[int] = []
    for module in model.modules():
        if isinstance(module, Linear):
            module.register_forward_hook(lambda layer, given, _: seen.append(given[0].numel() // layer.in_features))
    act()
    yield from seen


def test_gradients_of_packing_are_exact() -> None:
    packing = Packing.of(LENGTHS, TOKENS)
    assert packing is not None
    x = torch.randn(4, TOKENS, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(packing.pack, (x,))
    assert torch.autograd.gradcheck(lambda x: packing.unpack(packing.pack(x)), (x,))
    assert torch.autograd.gradcheck(lambda x: rows(x, torch.tensor([5, 0, 30])), (x,))


def test_little_padding_is_computed() -> None:
    assert Packing.of(torch.tensor([10, 10, 9]), 10) is None and Packing.of(None, 10) is None
