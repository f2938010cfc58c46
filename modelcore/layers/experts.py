"""A mixture of experts in place of a feed-forward network, and how its routing is observed."""

# N tokens of a batch, E experts, A active experts of a token, W model width, F inner width

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from modelcore.config import Experts, ModelConfig, StackName
from modelcore.layers.linear import Linear, linear


@dataclass(frozen=True, eq=False)
class Routing:
    """Where one layer sent each token.

    Shapes: probabilities (B, N, E), the router's softmax; chosen (B, N, A) int64, likeliest first;
        weights (B, N, A), what each chosen expert's output is multiplied with.
    """

    stack: StackName
    layer: int
    probabilities_BNE: Tensor
    chosen_BNA: Tensor
    weights_BNA: Tensor


RoutingTap = Callable[[Routing], None]


class MixtureOfExperts(nn.Module):
    """Each token through its likeliest experts, their outputs weighted and added; see `modelcore.config.Experts`."""

    def __init__(self, config: ModelConfig, experts: Experts, stack_name: StackName, layer: int) -> None:
        super().__init__()
        self.experts, self.stack_name, self.layer = experts, stack_name, layer
        inner = config.stack(stack_name).feedforward_width
        self.router = Linear(config.width, experts.count, bias=False)
        self.expand = nn.Parameter(torch.empty(experts.count, inner, config.width))
        self.gate = nn.Parameter(torch.empty(experts.count, inner, config.width)) if config.gated else None
        self.contract = nn.Parameter(torch.empty(experts.count, config.width, inner))
        self.activation = config.activation

    def forward(self, x_BNW: Tensor, tap: RoutingTap | None = None) -> Tensor:
        probabilities_BNE = self.router(x_BNW).softmax(-1, dtype=torch.float32)
        weights_BNA, chosen_BNA = probabilities_BNE.topk(self.experts.active, dim=-1)
        if self.experts.normalised:
            weights_BNA = weights_BNA / weights_BNA.sum(-1, keepdim=True)
        if tap is not None:
            tap(Routing(self.stack_name, self.layer, probabilities_BNE, chosen_BNA, weights_BNA))
        x_NW, weights_NA = x_BNW.flatten(0, -2), weights_BNA.flatten(0, -2).to(x_BNW.dtype)
        out_NW = torch.zeros_like(x_NW)
        chosen_NA = chosen_BNA.flatten(0, -2)
        for expert in chosen_NA.unique().tolist():
            token, place = (chosen_NA == expert).nonzero(as_tuple=True)
            out_NW = out_NW.index_add(0, token, self._run(expert, x_NW[token]) * weights_NA[token, place, None])
        return out_NW.view_as(x_BNW)

    def _run(self, expert: int, x_NW: Tensor) -> Tensor:
        if self.gate is None:
            inner_NF = linear(x_NW, self.expand[expert], activation=self.activation)
        else:
            gate_NF = linear(x_NW, self.gate[expert], activation=self.activation)
            inner_NF = gate_NF * linear(x_NW, self.expand[expert])
        return linear(inner_NF, self.contract[expert])


def load_balancing_loss(routings: Sequence[Routing]) -> Tensor:
    """E · Σ f_e P_e over all layers: least, A, where experts are used evenly. Differentiable through P.

    f_e: the share of tokens that expert e is sent; P_e: its mean probability. Padding counts as tokens do.
    Raises: ValueError if there is no routing to balance.
    Source: Fedus et al. 2021 (Switch, arXiv 2101.03961), equations 4 to 6, with f summed over the active
        experts as Mixtral trains.
    """
    if not routings:
        raise ValueError("no layer told of its routing; this loss is for models with mixtures of experts.")
    probabilities_NE = torch.cat([routing.probabilities_BNE.flatten(0, -2) for routing in routings])
    chosen_NA = torch.cat([routing.chosen_BNA.flatten(0, -2) for routing in routings])
    experts = probabilities_NE.shape[-1]
    share_E = F.one_hot(chosen_NA, experts).sum(1).float().mean(0)
    return experts * (share_E * probabilities_NE.mean(0)).sum()
