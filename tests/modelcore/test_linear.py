"""Linear layers compute the same packed, plain and side by side, and become plain again for whoever needs numbers."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kernels.cpu.matmul import FLOAT32_ERROR, Backend, onednn_answers
from modelcore.config import Activation, ModelConfig, StackConfig
from modelcore.layers import linear as linear_module
from modelcore.layers import writing
from modelcore.layers.activation import ACTIVATIONS, activate_
from modelcore.layers.linear import Linear, laid_out, linear
from modelcore.layers.writing import Joined, lay_by_input
from modelcore.models.build import build

pytestmark = pytest.mark.skipif(not onednn_answers(), reason="this torch has no operator for oneDNN's linear layer")


@pytest.fixture(autouse=True)
def any_weight_gains(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As on a CPU where oneDNN is faster, and for small matrices too."""
    monkeypatch.setattr(linear_module, "matmul_backend", lambda rows: Backend("onednn", "said by a test"))
    for module in (linear_module, writing):
        monkeypatch.setattr(module, "FEW_WEIGHTS", 0)
    torch.manual_seed(0)
    yield


def a_packed(layer: Linear) -> Linear:
    made = copy.deepcopy(layer)
    made.pack()
    assert made.weight.is_mkldnn
    return made


def error(y: torch.Tensor, exact: torch.Tensor) -> float:
    return float((y - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (1, 5), (2, 3, 5), (0, 5), (67, 5)])
@torch.inference_mode()
def test_values_are_those_of_float64(shape: tuple[int, ...], bias: bool) -> None:
    layer, x = Linear(5, 63, bias=bias), torch.randn(shape)
    exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
    for y in (layer(x), a_packed(layer)(x)):
        assert y.shape == exact.shape
        assert not y.numel() or error(y, exact) < FLOAT32_ERROR


@pytest.mark.parametrize("activation", get_args(Activation))
@torch.inference_mode()
def test_activation_follows_the_product_packed_or_not(activation: Activation) -> None:
    layer, x = Linear(96, 129), 3 * torch.randn(7, 96)
    exact = ACTIVATIONS[activation](F.linear(x.double(), layer.weight.double(), layer.bias.double()))
    for y in (layer(x, activation), a_packed(layer)(x, activation)):
        assert error(y, exact) < FLOAT32_ERROR


@torch.inference_mode()
def test_rows_apart_in_memory_are_read_rightly() -> None:
    layer, wide = Linear(6, 10), torch.randn(4, 12)
    for x in (wide[:, ::2], wide[:, :6], wide.t()[:6].t(), torch.randn(1, 6).expand(4, 6)):
        torch.testing.assert_close(a_packed(layer)(x), F.linear(x, layer.weight, layer.bias))


def test_gradients_reach_weights_of_a_plain_layer() -> None:
    layer, x = Linear(5, 7), torch.randn(3, 5, requires_grad=True)
    layer(x, "gelu").square().sum().backward()
    x64 = x.detach().double().requires_grad_()
    ours64 = copy.deepcopy(layer).double()
    F.gelu(F.linear(x64, ours64.weight, ours64.bias)).square().sum().backward()
    for ours, exact in ((x, x64), (layer.weight, ours64.weight), (layer.bias, ours64.bias)):
        torch.testing.assert_close(ours.grad, exact.grad.float())


def test_gradients_go_through_a_packed_layer_to_what_entered() -> None:
    layer, x = Linear(5, 7), torch.randn(3, 5, requires_grad=True)
    (expected,) = torch.autograd.grad(layer(x).square().sum(), x)
    (given,) = torch.autograd.grad(a_packed(layer)(x).square().sum(), x)
    torch.testing.assert_close(given, expected)


def test_state_dict_of_a_packed_layer_is_plain_and_loads_into_either() -> None:
    layer, other = Linear(5, 7), Linear(5, 7)
    state = a_packed(layer).state_dict()
    assert all(torch.equal(state[name], value) for name, value in layer.state_dict().items())
    for target in (other, a_packed(other)):
        target.load_state_dict(state)
        assert torch.equal(target.weight, layer.weight)


def test_training_and_other_dtypes_unpack() -> None:
    layer = Linear(5, 7)
    for changed in (a_packed(layer).train(), nn.Sequential(a_packed(layer)).train()[0], a_packed(layer).to("cpu")):
        assert not changed.weight.is_mkldnn
        assert torch.equal(changed.weight, layer.weight)
    assert a_packed(layer).double().weight.dtype == torch.float64
    assert a_packed(layer).eval().weight.is_mkldnn


@torch.inference_mode()
def test_layer_is_packed_by_the_first_many_rows_it_meets() -> None:
    layer = Linear(16, 24).eval().requires_grad_(False)
    assert not layer(torch.randn(1, 7, 16)).isnan().any()
    assert not layer.weight.is_mkldnn
    layer(torch.randn(2, 4, 16))
    assert layer.weight.is_mkldnn
    assert not layer.weight.is_inference()


@torch.inference_mode()
def test_layer_that_writes_trains_or_gains_nothing_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(9, 16)
    writes, trains, learns, half = (Linear(16, 24).eval().requires_grad_(False) for _ in range(4))
    lay_by_input(writes)
    trains.train()
    learns.requires_grad_(True)
    half.double()
    for layer in (writes, trains, learns):
        layer(x)
    half(x.double())
    monkeypatch.setattr(linear_module, "matmul_backend", lambda rows: Backend("torch", "said by a test"))
    slower = Linear(16, 24).eval().requires_grad_(False)
    slower(x)
    assert not any(layer.weight.is_mkldnn for layer in (writes, trains, learns, half, slower))


def test_weight_is_laid_out_as_it_was_stored() -> None:
    stored = torch.randn(6, 9)
    assert laid_out(stored).stride() == (9, 1)
    halves = stored.t().split([3, 6])
    for half in halves:
        own = laid_out(half)
        assert torch.equal(own, half)
        assert own.stride() == (1, half.shape[0])
        assert own.untyped_storage().nbytes() == half.numel() * 4


@torch.inference_mode()
def test_other_dtypes_take_torchs_own_product() -> None:
    for dtype in (torch.float64, torch.bfloat16):
        x, weight = torch.randn(3, 5, dtype=dtype), torch.randn(7, 5, dtype=dtype)
        assert torch.equal(linear(x, weight), F.linear(x, weight))


@pytest.mark.parametrize("threads", [1, 2, 3, 4])
@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_one_row_in_parts_is_the_product_of_float64(threads: int, bias: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """96 inputs go in halves, thirds and quarters; 97 are a prime."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    for inputs in (96, 97):
        layer, x = Linear(inputs, 130, bias=bias), torch.randn(1, 1, inputs)
        exact = F.linear(x.double(), layer.weight.double(), layer.bias.double() if bias else None)
        lay_by_input(layer)
        assert layer.weight.stride() == (1, 130)
        y = layer(x, "relu")
        assert y.shape == exact.shape
        assert error(y, exact.relu()) < FLOAT32_ERROR


@torch.inference_mode()
def test_many_rows_are_the_same_by_input() -> None:
    layer, x = a_packed(Linear(96, 130)), torch.randn(2, 7, 96)
    exact = F.linear(x.double(), layer.weight.to_dense().double(), layer.bias.double())
    lay_by_input(layer)
    assert error(layer(x), exact) < FLOAT32_ERROR


def test_model_that_writes_is_laid_out_once_and_says_the_same() -> None:
    config = ModelConfig(vocabulary=50, positions=16, width=24, decoder=StackConfig(2, 3, 40))
    model = build(config).eval().requires_grad_(False)
    state = {name: value.clone() for name, value in model.state_dict().items()}
    ids = torch.randint(0, 50, (2, 9))
    before = model(ids)
    lay_by_input(model)
    laid = [parameter.data_ptr() for parameter in model.parameters()]
    lay_by_input(model)
    assert [parameter.data_ptr() for parameter in model.parameters()] == laid
    assert model.tokens.weight.stride() == (1, 50)
    assert torch.allclose(model(ids), before, atol=1e-6)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_gradients_still_flow_through_weights_by_input() -> None:
    layer, x = Linear(6, 5), torch.randn(1, 6)
    lay_by_input(layer)
    layer(x).sum().backward()
    assert torch.allclose(layer.weight.grad, x.expand(5, 6))


@pytest.mark.parametrize("bias", [True, False])
@torch.inference_mode()
def test_layers_side_by_side_say_what_they_said_apart(bias: bool) -> None:
    layers = [Linear(96, outputs, bias=bias).requires_grad_(False) for outputs in (64, 32, 32)]
    joined, state = Joined(*layers), [layer.weight.clone() for layer in layers]
    for x in (torch.randn(1, 1, 96), torch.randn(2, 5, 96)):
        apart = joined(x)
        joined.lay()
        for laid, before in zip(joined(x), apart, strict=True):
            torch.testing.assert_close(laid, before, atol=2e-6, rtol=1e-5)
    assert all(torch.equal(layer.weight, before) for layer, before in zip(layers, state, strict=True))
    assert [layer.weight.data_ptr() - layers[0].weight.data_ptr() for layer in layers] == [0, 4 * 64, 4 * 96]


@pytest.mark.parametrize("assign", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_layers_given_other_weights_say_what_those_say(assign: bool, dtype: torch.dtype) -> None:
    """A product with the weights that were laid side by side before would go on as if nothing had been loaded."""
    layers, others = ([Linear(96, 64) for _ in range(3)] for _ in range(2))
    joined, x = Joined(*layers), torch.randn(1, 96, dtype=dtype)
    joined.lay()
    for layer, other in zip(layers, others, strict=True):
        layer.to(dtype).load_state_dict(other.to(dtype).state_dict(), assign=assign)
    with torch.inference_mode():
        for y, other in zip(joined(x), others, strict=True):
            torch.testing.assert_close(y, F.linear(x, other.weight, other.bias), atol=2e-6, rtol=1e-5)


def test_layers_side_by_side_still_learn() -> None:
    layers, x = [Linear(96, 64) for _ in range(2)], torch.randn(1, 96)
    joined = Joined(*layers)
    joined.lay()
    sum(y.sum() for y in joined(x)).backward()
    for layer in layers:
        assert torch.allclose(layer.weight.grad, x.expand(64, 96))


@pytest.mark.parametrize("activation", get_args(Activation))
def test_activation_in_place_is_that_of_float64(activation: Activation) -> None:
    """More values than gelu_tanh takes at once, and so small and so large ones as models have."""
    x = torch.cat([torch.linspace(-90, 90, 300_000), 8 * torch.randn(300_000)])
    exact, kept = ACTIVATIONS[activation](x.double()), x
    assert activate_(activation, x) is kept
    torch.testing.assert_close(kept.double(), exact, atol=2e-6, rtol=2e-6)
