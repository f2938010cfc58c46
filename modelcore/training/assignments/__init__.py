"""What a plan's model learns: examples by step, the loss, what is measured, and a text to look at heads with."""

from modelcore.training.assignments.assignment import Assignment
from modelcore.training.assignments.lines import LineAssignment
from modelcore.training.assignments.modular import ModularAssignment
from modelcore.training.assignments.pairs import PairAssignment
from modelcore.training.assignments.text import TextAssignment
from modelcore.training.plan import LINES, PAIRED, TrainingPlan

__all__ = ["Assignment", "assignment_of"]


def assignment_of(plan: TrainingPlan) -> Assignment:
    """Raises: PlanError where what the plan brings cannot be learned."""
    if plan.assignment in LINES:
        return LineAssignment(plan)
    if plan.assignment in PAIRED:
        return PairAssignment(plan)
    return ModularAssignment(plan) if plan.assignment == "modular" else TextAssignment(plan)
