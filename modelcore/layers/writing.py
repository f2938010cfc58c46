"""A model laid out for writing: its weights by input, and those that read the same input side by side."""

# x [..., inputs], weight [outputs, inputs], bias [outputs]

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelcore.layers.linear import FEW_WEIGHTS, Linear, linear
from modelcore.layers.packing import Packing
from modelcore.layers.row_product import RowProduct, lies_by_input


class Joined:
    """Layers that read the same input: one product in place of several, once their weights lie side by side.

    On two cores one row by 768 x 2304 weights took 0.40 ms, three by 768 x 768 took 0.69 ms. Where they learn they are
    put side by side each time: 1,500 rows by 256 x 256 weights reach half the FLOP/s of those by 768 x 256, and of the
    input's gradient there is one, not three to be added.
    """

    def __init__(self, *layers: Linear) -> None:
        self.layers = layers
        self.outputs = [layer.out_features for layer in layers]
        self._width = layers[0].in_features
        self._weight: Tensor | None = None
        self._bias: Tensor | None = None
        self._row: RowProduct | None = None
        self._places: list[int] = []

    def __call__(self, x: Tensor, packing: Packing | None = None) -> tuple[Tensor, ...]:
        """What each layer makes of x; unpacked, where it comes packed."""
        if self._learns():
            biases: list[Tensor] = [layer.bias for layer in self.layers if layer.bias is not None]
            weights: list[Tensor] = [layer.weight for layer in self.layers]
            y = linear(x, torch.cat(weights), torch.cat(biases) if biases else None)
            return (y if packing is None else packing.unpack(y)).split(self.outputs, -1)
        if packing is not None:
            return tuple(packing.unpack(layer(x)) for layer in self.layers)
        if self._weight is None or not self._are_laid():
            return tuple(layer(x) for layer in self.layers)
        if self._row is not None and x.numel() == self._width:
            return torch.split_with_sizes(self._row(x), self.outputs, -1)
        return linear(x, self._weight, self._bias).split(self.outputs, -1)

    def lay(self) -> None:
        """Moves the weights side by side, by input; the layers keep them as views. Done once."""
        weights = [layer.weight for layer in self.layers]
        if not all(_is_layable(weight) for weight in weights) or sum(w.numel() for w in weights) < FEW_WEIGHTS:
            return
        if self._weight is not None and self._are_laid():
            return
        by_input = torch.cat([weight.to_dense().t() if weight.is_mkldnn else weight.t() for weight in weights], 1)
        self._weight = by_input.t()
        self._bias = None
        if self.layers[0].bias is not None:
            self._bias = torch.cat([layer.bias for layer in self.layers])
        for layer, weight in zip(self.layers, self._weight.split(self.outputs), strict=True):
            layer.weight = nn.Parameter(weight, requires_grad=layer.weight.requires_grad)
        if self._bias is not None:
            for layer, bias in zip(self.layers, self._bias.split(self.outputs), strict=True):
                layer.bias = nn.Parameter(bias, requires_grad=layer.bias.requires_grad)
        self._row = RowProduct(self._weight, self._bias)
        self._places = [layer.weight.data_ptr() for layer in self.layers]

    def _are_laid(self) -> bool:
        """Whether the layers' weights are still these: loading, another device or dtype give them others."""
        for layer, place in zip(self.layers, self._places, strict=True):
            weight = layer.weight
            if weight.is_mkldnn or weight.data_ptr() != place:
                return False
        return True

    def _learns(self) -> bool:
        return torch.is_grad_enabled() and any(layer.weight.requires_grad for layer in self.layers)


def _is_layable(weight: Tensor) -> bool:
    return weight.dim() == 2 and weight.device.type == "cpu" and weight.dtype == torch.float32


@torch.inference_mode(False)
@torch.no_grad()
def lay_by_input(model: nn.Module) -> None:
    """Lays a model out for writing: every matrix that gains, token vectors included, by input. Done once.

    On the CPU in float32; elsewhere nothing is changed. Memory holds one matrix twice for a moment.
    """
    for module in model.modules():
        joined = getattr(module, "joined", None)
        if isinstance(joined, Joined):
            joined.lay()
    for module in model.modules():
        if isinstance(module, Linear):
            module.writes = True
        weight = getattr(module, "weight", None)
        if not isinstance(weight, nn.Parameter) or not _is_layable(weight):
            continue
        if weight.is_mkldnn:
            weight = nn.Parameter(weight.to_dense(), requires_grad=False)
        if weight.numel() >= FEW_WEIGHTS and not lies_by_input(weight):
            weight = module.weight = nn.Parameter(weight.t().contiguous().t(), requires_grad=weight.requires_grad)
        if isinstance(module, Linear) and lies_by_input(weight):
            module.row = RowProduct(weight, module.bias)
