"""What each weight does for a chosen output: the gradient of one logit, times the weight.

    A_ij · ∂logit/∂A_ij,   and as out_i = Σ_j A_ij v_j,   ∂logit/∂A_ij = (∂logit/∂out_i) · v_j

so one backward pass, which gives a vector for each query and head, turns any rectangle of the map into it. Signed:
above 0 the weight speaks for the token, below 0 against it. Chefer et al. keep the part above 0.
Source: Chefer et al. 2021 (arXiv 2103.15679), equation 5, without its mean over heads.
"""

# B batch, H query heads, Q queries, D head width, N tokens, V vocabulary or classes

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from modelcore.analysis.influence.inputs import Inputs
from modelcore.analysis.request import RequestError
from modelcore.config import ModelShape
from modelcore.layers.outlet import Outlet
from modelcore.models.readable import Readable
from modelcore.models.stack import run_through


@dataclass(frozen=True)
class Target:
    """An output: the score of a token after a position, or of a class, which stands at none.

    As a question None leaves the choice to the model: the last position, and what is likeliest there.
    """

    position: int | None = None
    token: int | None = None


@dataclass(frozen=True, eq=False)
class Gradients:
    """The gradient of `target`'s logit by what each head puts out, (H, Q, D) float32, by site."""

    target: Target
    logit: float
    d_out: dict[str, Tensor]


def read_gradients(model: Readable, inputs: Inputs, target: Target) -> Gradients:
    """One forward and one backward pass; whatever the logit does not depend on has the gradient 0.

    Memory: what the layers keep for the backward pass, O(n).
    Raises: RequestError if there is no such output. CheckpointError for an adapted model.
    """
    require_scores(model.config)
    outs: dict[str, Tensor] = {}

    def keep(outlet: Outlet) -> None:
        # The graph begins behind the first site: nothing before it is asked for.
        outs[str(outlet.site)] = outlet.out_BHQD if outlet.out_BHQD.requires_grad else outlet.out_BHQD.requires_grad_()

    # Whoever asks may have turned inference mode on, which keeps no graph.
    with torch.inference_mode(False), torch.enable_grad():
        sequences = [sequence.clone() for sequence in inputs.sequences]
        types = {name: kinds.clone() for name, kinds in inputs.types.items()}
        scores = run_through(model.layerwise(*sequences, outlet_tap=keep, **types))[0]
        found, logit = _logit(scores, target, model.config)
        gradients = torch.autograd.grad(logit, list(outs.values()), allow_unused=True)
    d_out = {
        site: (torch.zeros_like(out) if gradient is None else gradient)[0].detach().float()
        for (site, out), gradient in zip(outs.items(), gradients, strict=True)
    }
    return Gradients(found, float(logit.detach()), d_out)


def require_scores(config: ModelShape) -> None:
    """Raises: RequestError where no output of the model can be followed back."""
    if config.output == "hidden":
        raise RequestError(
            "no_scores", "This model gives hidden states and scores nothing, so there is no output to follow back."
        )


def _logit(scores: Tensor, target: Target, config: ModelShape) -> tuple[Target, Tensor]:
    """`scores` are those of one sample: [N, V], or [V] of a classifier of the whole."""
    if scores.dim() == 1:
        if target.position is not None:
            raise RequestError("bad_position", "This model scores the whole input; leave the position out.")
        position, row_V = None, scores
    else:
        position = len(scores) - 1 if target.position is None else target.position
        if not 0 <= position < len(scores):
            raise RequestError("bad_position", f"position goes from 0 to {len(scores) - 1}.")
        row_V = scores[position]
    token = int(row_V.argmax()) if target.token is None else target.token
    if not 0 <= token < len(row_V):
        kind = "token" if config.output == "vocabulary" else "class"
        raise RequestError("bad_token", f"The {kind} goes from 0 to {len(row_V) - 1}.")
    return Target(position, token), row_V[token].float()
