"""What a plan will cost the trainers that live now, and the refusal of one for which they have no room."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings

from modelcore.training.costs import Machine, costs, misfit
from webapp import stream
from webapp.runs.submit import InvalidRequestError
from workers.protocol.jobs import TRAIN_QUEUE


def best_machine() -> Machine:
    """The trainer with the most memory; of trainers that say nothing of themselves, nothing is known. Reads Redis."""
    told = [beat["machine"] for beat in stream.living(TRAIN_QUEUE) if beat.get("machine")]
    if not told:
        return Machine(watts=settings.TRAINER_WATTS)
    return Machine(**max(told, key=lambda machine: machine["memory_bytes"]), watts=settings.TRAINER_WATTS)


def refuse_misfit(plan: dict[str, Any], machine: Machine | None = None) -> None:
    """Raises: InvalidRequestError with the field to change and the number that fits."""
    found = misfit(plan, machine or best_machine())
    if found is not None:
        raise InvalidRequestError("plan_does_not_fit", found.message, found.field, found.limit)


def estimate(plan: dict[str, Any]) -> dict[str, Any]:
    """The costs, what they were reckoned for, and what does not fit, if anything."""
    machine = best_machine()
    found = misfit(plan, machine)
    return {
        **asdict(costs(plan, machine)),
        "machine": asdict(machine),
        "misfit": None if found is None else asdict(found),
    }
