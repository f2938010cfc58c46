"""How a text of the user's becomes tokens, and what is refused because nothing could be learned from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from modelcore.tokenizer import Specials, Tokenizer, TokenizerError, learn_tokenizer
from modelcore.training.plan import PlanError, TrainingPlan

HELD_OUT_SHARE = 0.1


def learned(plan: TrainingPlan, texts: Sequence[str], specials: Specials) -> Tokenizer:
    """The tokenizer that the plan asks for. Raises: PlanError."""
    try:
        return learn_tokenizer(plan.tokenizer, texts, plan.vocabulary, specials)
    except TokenizerError as error:
        raise PlanError("tokenizer", str(error)) from error


def known_and_held_out(ids: list[int], window: int) -> tuple[list[int], list[int]]:
    """The last tenth apart, at least one window. Raises: PlanError."""
    needed = math.ceil(window / HELD_OUT_SHARE)
    if len(ids) < needed:
        raise PlanError(
            "text",
            f"The text has {len(ids):,} tokens; this length needs at least {needed:,}, "
            "as the last tenth is held out. Give a longer text or a smaller length.",
            needed,
        )
    cut = len(ids) - max(window, int(len(ids) * HELD_OUT_SHARE))
    refuse_sameness(ids[:cut])
    return ids[:cut], ids[cut:]


def refuse_sameness(ids: Iterable[int]) -> None:
    """Raises: PlanError."""
    if len(set(ids)) < 2:
        raise PlanError(
            "text",
            "This text is one token again and again, so there is nothing to learn from it. "
            "Give another text, or choose another tokenizer.",
        )
