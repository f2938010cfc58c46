"""Mixtures of experts: routing, its observation, its balance, and training."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from modelcore.config import Experts, ModelConfig, StackConfig
from modelcore.layers.experts import Routing, load_balancing_loss
from modelcore.models.build import build
from modelcore.presets import preset
from modelcore.training.loop import Optimisation, train
from modelcore.training.objectives import balanced, next_token
from modelcore.training.schedules import warmup_cosine
from tests.modelcore.by_hand import assert_equal, build_drawn

IDS = torch.randint(0, 31, (3, 9), generator=torch.Generator().manual_seed(0))


def mixture(active=2, *, normalised=True, gated=True):
    stack = StackConfig(2, 2, 20, experts=Experts(5, active, normalised))
    return ModelConfig(
        vocabulary=31, positions=16, width=12, decoder=stack, activation="silu", gated=gated, feedforward_bias=False
    )


@pytest.mark.parametrize("active", [1, 2, 5])
@pytest.mark.parametrize("normalised", [False, True])
@pytest.mark.parametrize("gated", [False, True])
def test_each_token_goes_through_its_likeliest_experts(active, normalised, gated):
    layer = build_drawn(mixture(active, normalised=normalised, gated=gated)).decoder.blocks[0].feedforward
    x = torch.randn(3, 4, 12, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = torch.zeros_like(x)
    for b, n in ((b, n) for b in range(3) for n in range(4)):
        likelihood = torch.exp(layer.router.weight @ x[b, n])
        likelihood = (likelihood / likelihood.sum()).tolist()
        chosen = sorted(range(5), key=lambda expert: -likelihood[expert])[:active]
        total = sum(likelihood[expert] for expert in chosen) if normalised else 1.0
        for expert in chosen:
            inner = layer.expand[expert] @ x[b, n]
            if gated:
                inner = torch.nn.functional.silu(layer.gate[expert] @ x[b, n]) * inner
            else:
                inner = torch.nn.functional.silu(inner)
            expected[b, n] += likelihood[expert] / total * (layer.contract[expert] @ inner)
    # The router's softmax is taken in float32, as trained models do.
    assert_equal(layer(x), expected, 1e-5)


def test_one_expert_is_a_plain_feed_forward_network():
    config = replace(mixture(), decoder=StackConfig(2, 2, 20, experts=Experts(1, 1)))
    alone, plain = build_drawn(config), build(replace(config, decoder=replace(config.decoder, experts=None))).double()
    weights = {name: weight for name, weight in alone.state_dict().items() if "router" not in name}
    for name in [name for name, weight in weights.items() if weight.dim() == 3]:
        weights[f"{name}.weight"] = weights.pop(name)[0]
    plain.load_state_dict(weights)
    assert_equal(alone(IDS), plain.eval()(IDS))


def test_routing_is_told_layer_by_layer_and_changes_nothing():
    model, routings = build_drawn(mixture()), []
    assert torch.equal(model(IDS, routing_tap=routings.append), model(IDS))
    assert [(routing.stack, routing.layer) for routing in routings] == [("decoder", 0), ("decoder", 1)]
    for routing in routings:
        assert routing.chosen_BNA.shape == routing.weights_BNA.shape == (3, 9, 2)
        assert torch.allclose(routing.probabilities_BNE.sum(-1), torch.ones(3, 9))
        assert torch.equal(routing.probabilities_BNE.argmax(-1), routing.chosen_BNA[..., 0])
        assert torch.allclose(routing.weights_BNA.sum(-1), torch.ones(3, 9))


def routing_of(logits, active=2):
    probabilities = logits.softmax(-1)
    weights, chosen = probabilities.topk(active, dim=-1)
    return Routing("decoder", 0, probabilities, chosen, weights)


@pytest.mark.parametrize("active", [1, 2])
def test_load_balancing_loss_is_the_outside_implementations(active):
    layers = [torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(seed)) for seed in range(3)]
    outside = load_balancing_loss_func(tuple(layer.flatten(0, 1) for layer in layers), 5, active)
    assert load_balancing_loss([routing_of(layer, active) for layer in layers]).item() == pytest.approx(outside.item())


def test_load_balancing_loss_is_least_where_experts_are_used_evenly():
    """Tokens that take turns reach the number of active experts; all to one pair, nearly all experts' number."""
    even = routing_of(torch.eye(4).repeat(3, 1)[None] * 9, active=1)
    crowded = routing_of(torch.eye(4)[:1].repeat(12, 1)[None] * 9, active=1)
    assert load_balancing_loss([even]).item() == pytest.approx(1.0, abs=1e-6)
    assert load_balancing_loss([crowded]).item() == pytest.approx(4.0, abs=0.01)


def test_without_a_mixture_there_is_nothing_to_balance():
    with pytest.raises(ValueError, match="mixtures of experts"):
        balanced(next_token)(build(preset("tiny-decoder")), IDS)


@pytest.mark.parametrize("objective", [next_token, balanced(next_token)], ids=["plain", "balanced"])
def test_gradients_reach_router_and_every_chosen_expert(objective):
    model = build_drawn(mixture())
    routings = []
    model(IDS[:, :-1], routing_tap=routings.append)
    objective(model, IDS).backward()
    for block, routing in zip(model.decoder.blocks, routings, strict=True):
        used = [expert in routing.chosen_BNA for expert in range(5)]
        moved = [gradient.abs().max() > 0 for gradient in block.feedforward.contract.grad]
        assert moved == used
        assert block.feedforward.router.weight.grad.abs().max() > 0


@pytest.mark.parametrize("product_dtype", [torch.float32, torch.bfloat16])
def test_training_with_balance_spreads_a_crowd(product_dtype):
    """Routers that send all tokens to one expert first learn to use all four."""
    torch.manual_seed(0)
    model = build(replace(mixture(1), decoder=StackConfig(1, 2, 16, experts=Experts(4, 1, normalised=False))))
    block = model.decoder.blocks[0]
    with torch.no_grad():
        block.feedforward_residual.norm.bias.fill_(1.0)
        block.feedforward.router.weight[0] += 0.3
    batch = torch.randint(0, 31, (8, 9))

    def loss_of_balance():
        routings = []
        model(batch, routing_tap=routings.append)
        return load_balancing_loss(routings).item()

    before = loss_of_balance()
    steps = train(
        model,
        [batch] * 60,
        balanced(next_token, 0.5),
        warmup_cosine(1e-2, 5, 60),
        60,
        Optimisation(product_dtype=product_dtype),
    )
    losses = [done.loss for done in steps]
    assert losses[-1] < 0.8 * losses[0]
    assert loss_of_balance() < 1.3 < before
