"""A task's model with the plan's ablations: other key widths, positions, norms and scores than the task has.

Source: Vaswani et al. 2017, 6.2, Table 3, rows A, B and E; Luong et al. 2015 (arXiv 1508.04025), 3.1, for scores.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelcore.checkpoints.headlight import MODEL_TYPE
from modelcore.checkpoints.writer import unsayable
from modelcore.config import ModelConfig
from modelcore.training.plan import PlanError, TrainingPlan


def changed(config: ModelConfig, plan: TrainingPlan) -> ModelConfig:
    """The configuration as the plan varies it; itself, where the plan varies nothing.

    Raises: PlanError naming the field where no such model can be.
    """
    changes: dict[str, Any] = {}
    if plan.key_width is not None:
        changes |= {name: replace(stack, head_width=plan.key_width) for name, stack in config.stacks.items()}
    if plan.positions is not None:
        changes |= {"position_encoding": plan.positions, "position_offset": 0}
    if plan.norm_order is not None and plan.norm_order != config.norm_placement:
        # Without a norm in the residual stream, the last block's sum needs one.
        changes |= {"norm_placement": plan.norm_order, "final_norm": plan.norm_order != "post"}
    if plan.score != config.score:
        changes["score"] = plan.score
    try:
        return replace(config, **changes) if changes else config
    except ValueError as error:
        raise PlanError(_blamed(plan), f"This model cannot be: {error}") from error


def _blamed(plan: TrainingPlan) -> str:
    if plan.positions is not None:
        return "positions"
    return "score" if plan.score != "scaled_dot" else "norm_order"


def family_for(config: ModelConfig, family: str) -> str:
    """The layout in which the model is saved: the task's, or ours where that one cannot say what it computes."""
    return family if unsayable(config, family) is None else MODEL_TYPE
