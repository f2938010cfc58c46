"""What a plan's model learns: examples by step, the loss, what is measured, and a text to look at heads with."""

from modelcore.training.assignments.assignment import Assignment
from modelcore.training.assignments.catalogs import CatalogsAssignment
from modelcore.training.assignments.given_pairs import GivenPairsAssignment
from modelcore.training.assignments.lines import LineAssignment
from modelcore.training.assignments.masked import MaskedAssignment
from modelcore.training.assignments.modular import ModularAssignment
from modelcore.training.assignments.pairs import DrawnPairsAssignment
from modelcore.training.assignments.pictures import PictureAssignment
from modelcore.training.assignments.spans import SpansAssignment
from modelcore.training.assignments.starting import Given
from modelcore.training.assignments.text import TextAssignment
from modelcore.training.assignments.words import WordsAssignment
from modelcore.training.plan import LINES, OF_PICTURES, TrainingPlan

__all__ = ["Assignment", "Given", "assignment_of"]


def assignment_of(plan: TrainingPlan, given: Given | None = None) -> Assignment:
    """Raises: PlanError where what the plan brings cannot be learned."""
    given = given or Given()
    match plan.assignment:
        case "text":
            return TextAssignment(plan, given)
        case "masked":
            return MaskedAssignment(plan, given)
        case "spans":
            return SpansAssignment(plan, given)
        case "pairs":
            return GivenPairsAssignment(plan, given)
        case "catalogs":
            return CatalogsAssignment(plan, given)
        case "words":
            return WordsAssignment(plan, given)
        case "modular":
            return ModularAssignment(plan)
    if plan.assignment in OF_PICTURES:
        return PictureAssignment(plan, given)
    return LineAssignment(plan) if plan.assignment in LINES else DrawnPairsAssignment(plan, given)
