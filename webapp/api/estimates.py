"""What a training would take, told before anybody starts it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from pydantic import Field

from webapp.accounts.ownership import person_of
from webapp.api.asking import REFUSALS
from webapp.api.plan_checks import checked_plan
from webapp.api.trainings import PlanRequest
from webapp.runs.planning import estimate

router = Router(tags=["trainings"])


class MachineAnswer(Schema):
    """What the largest trainer says of itself; null where none lives."""

    flops_per_s: float | None = Field(description="Of large float32 products, measured when it started.")
    memory_bytes: int | None
    disk_free_bytes: int | None
    watts: float | None = Field(description="Not measured: HEADLIGHT_TRAINER_WATTS.")


class MisfitAnswer(Schema):
    field: str
    message: str
    needed: int
    limit: int


class EstimateAnswer(Schema):
    """Estimates all. `memory_bytes` is the sum, with the program; time and energy are null where no trainer lives."""

    parameters: int
    tokens_per_step: int
    flops: float
    weights_bytes: int
    gradients_bytes: int
    optimiser_bytes: int
    activations_bytes: int
    memory_bytes: int
    disk_bytes: int
    seconds: float | None
    watt_hours: float | None
    machine: MachineAnswer
    misfit: MisfitAnswer | None = Field(description="Why POST /api/v1/trainings would refuse it, if it would.")


@router.post("/trainings/estimate", response={200: EstimateAnswer, **REFUSALS}, summary="What a training would take")
def estimated(request: HttpRequest, payload: PlanRequest) -> dict[str, Any]:
    """Starts nothing. A text or pictures may be left out as long as they are not there yet."""
    return estimate(checked_plan(payload.model_dump(), person_of(request), asks_for_material=False))
