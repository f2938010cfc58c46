"""What a plan's model learns: examples by step, the loss, what is measured, and a text to look at heads with."""

from modelcore.tokenizer import Tokenizer
from modelcore.training.assignments.assignment import Assignment
from modelcore.training.assignments.given_pairs import GivenPairsAssignment
from modelcore.training.assignments.lines import LineAssignment
from modelcore.training.assignments.masked import MaskedAssignment
from modelcore.training.assignments.modular import ModularAssignment
from modelcore.training.assignments.pairs import DrawnPairsAssignment
from modelcore.training.assignments.text import TextAssignment
from modelcore.training.plan import LINES, TrainingPlan

__all__ = ["Assignment", "assignment_of"]


def assignment_of(plan: TrainingPlan, tokenizer: Tokenizer | None = None) -> Assignment:
    """`tokenizer` is the one that the plan's text was cut with before, where it goes on.

    Raises: PlanError where what the plan brings cannot be learned.
    """
    match plan.assignment:
        case "text":
            return TextAssignment(plan, tokenizer)
        case "masked":
            return MaskedAssignment(plan, tokenizer)
        case "pairs":
            return GivenPairsAssignment(plan, tokenizer)
        case "modular":
            return ModularAssignment(plan)
        case _:
            return LineAssignment(plan) if plan.assignment in LINES else DrawnPairsAssignment(plan)
