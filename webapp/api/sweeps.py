"""Sweeps over HTTP: one plan in several variants, each a training of its own; read as a table, cancelled together."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from django.db import transaction
from django.http import HttpRequest
from ninja import Router, Schema, Status
from pydantic import ConfigDict, Field

from modelcore.training.sweeps.power_law import FEWEST, FLOPS, PowerLaw, fit
from modelcore.training.sweeps.variants import BASE, Variant, variants
from webapp.accounts.models import Person
from webapp.accounts.ownership import may_change, may_see, person_of, seen_by
from webapp.accounts.visitors import visitor_of
from webapp.api.asking import REFUSALS
from webapp.api.errors import ApiError
from webapp.api.plan_checks import checked_plan
from webapp.api.trainings import PlanRequest
from webapp.people.limits import allow
from webapp.runs.cancel import cancel
from webapp.runs.models import Run, Sweep
from webapp.runs.planning import best_machine, refuse_misfit
from webapp.runs.submit import send

router = Router(tags=["trainings"])

LISTED = 50
# Points of the line of best splits.
BUDGETS = 9
State = Literal["queued", "running", "finished", "failed", "cancelled"]


class SweepRequest(Schema):
    """`rows` leaves only those of these names; null takes all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["table3", "scaling"]
    plan: PlanRequest
    rows: list[str] | None = Field(default=None, max_length=64)


class RowAnswer(Schema):
    """One variant: what it changes of the base plan, and once it is done what it came to."""

    name: str
    group: str
    changes: dict[str, Any]
    id: str
    state: State
    page: str
    error: dict[str, str] | None
    model: str | None
    parameters: int | None
    tokens: int | None
    seconds: float | None
    metrics: dict[str, float] | None
    relative: dict[str, float] | None = Field(description="Metrics less the base's; null before both are done.")


class LawAnswer(Schema):
    """L = irreducible + size_factor / N^size_exponent + tokens_factor / D^tokens_exponent, N parameters, D tokens.

    Hoffmann et al. 2022 (arXiv 2203.15556), 3.3, equation 2. `optima`: FLOPs, and the parameters and tokens that such
    a budget is best spent on (equation 4); empty where more of one does not help.
    """

    irreducible: float
    size_factor: float
    size_exponent: float
    tokens_factor: float
    tokens_exponent: float
    error: float = Field(description="Root of the mean squared relative error.")
    optima: list[tuple[float, float, float]]


class SweepAnswer(Schema):
    id: str
    kind: Literal["table3", "scaling"]
    plan: dict[str, Any]
    page: str
    created_at: datetime
    rows: list[RowAnswer]
    law: LawAnswer | None = Field(description=f"Of a scaling sweep, from {FEWEST} rows that are done.")


class SweepSummary(Schema):
    id: str
    kind: Literal["table3", "scaling"]
    assignment: str
    page: str
    created_at: datetime
    rows: int
    ended: int


class SweepsAnswer(Schema):
    sweeps: list[SweepSummary]


class VariantAnswer(Schema):
    name: str
    group: str
    changes: dict[str, Any]


class VariantsAnswer(Schema):
    rows: list[VariantAnswer]


@router.post("/sweeps", response={201: SweepAnswer, **REFUSALS}, summary="Train one plan in several variants")
def start(request: HttpRequest, payload: SweepRequest) -> Status[dict[str, Any]]:
    """All or none: a variant that cannot be trained is refused by its row's name, and then no row is begun."""
    person, visitor = person_of(request), visitor_of(request)
    rows, plan = _rows(payload, person), payload.plan.model_dump()
    machine = best_machine()
    plans = {variant.name: {**plan, **variant.changes} for variant in rows}
    for name, varied in plans.items():
        try:
            checked_plan(varied, person)
        except ApiError as error:
            raise ApiError(422, error.code, f"{name}: {error.message}", field=error.field) from None
        refuse_misfit(varied, machine)
    allow(request, jobs=len(plans), trains=True)
    with transaction.atomic():
        sweep = Sweep.objects.create(kind=payload.kind, plan=plan, owner=person)
        runs = [
            Run.objects.create(
                kind="train",
                plan=plans[variant.name],
                sweep=sweep,
                row=asdict(variant),
                owner=person,
                visitor=visitor,
            )
            for variant in rows
        ]
    for run in runs:
        transaction.on_commit(lambda run=run: send(run))  # type: ignore[misc]
    return Status(201, _answer(sweep))


@router.post("/sweeps/variants", response={200: VariantsAnswer, **REFUSALS}, summary="The rows that a sweep would have")
def told(request: HttpRequest, payload: SweepRequest) -> dict[str, Any]:
    """Starts nothing."""
    return {"rows": [asdict(variant) for variant in _rows(payload, person_of(request))]}


@router.get("/sweeps", response={200: SweepsAnswer, **REFUSALS}, summary="The newest sweeps")
def listed(request: HttpRequest) -> dict[str, Any]:
    seen = Sweep.objects.filter(seen_by(person_of(request))).prefetch_related("runs")
    return {"sweeps": [_summary(sweep) for sweep in seen[:LISTED]]}


@router.get("/sweeps/{sweep_id}", response={200: SweepAnswer, **REFUSALS}, summary="A sweep's table")
def read(request: HttpRequest, sweep_id: str) -> dict[str, Any]:
    return _answer(_find(request, sweep_id))


@router.post("/sweeps/{sweep_id}/cancel", response={200: SweepAnswer, **REFUSALS}, summary="Stop all rows of a sweep")
def stop(request: HttpRequest, sweep_id: str) -> dict[str, Any]:
    """Rows that have ended stay as they are. The last ones first, so that none of them begins meanwhile."""
    sweep = _find(request, sweep_id)
    if not may_change(person_of(request), sweep):
        raise ApiError(403, "not_yours", "This sweep is somebody else's: it can be read, not stopped.", field="id")
    going = [run for run in _runs(sweep) if run.state not in Run.ENDED]
    if not going:
        raise ApiError(409, "already_ended", "All rows of this sweep have ended; they stay as they are.")
    for run in reversed(going):
        cancel(run)
    return _answer(sweep)


def _rows(payload: SweepRequest, person: Person | None) -> list[Variant]:
    plan = checked_plan(payload.plan.model_dump(), person)
    if plan["start"] is not None:
        raise ApiError(422, "plan_refused", "A sweep trains models from nothing; set start to null.", field="start")
    rows = variants(payload.kind, plan)
    if payload.rows is None:
        return rows
    unknown = set(payload.rows) - {variant.name for variant in rows}
    if unknown:
        known = ", ".join(variant.name for variant in rows)
        raise ApiError(422, "bad_field", f"There is no row {min(unknown)[:40]!r}; choose from {known}.", field="rows")
    return [variant for variant in rows if variant.name in payload.rows]


def _find(request: HttpRequest, sweep_id: str) -> Sweep:
    sweep = Sweep.objects.filter(pk=sweep_id).first()
    if sweep is None or not may_see(person_of(request), sweep):
        raise ApiError(404, "unknown_sweep", "There is no sweep with this id. GET /api/v1/sweeps lists them.")
    return sweep


def _runs(sweep: Sweep) -> list[Run]:
    return list(sweep.runs.order_by("created_at"))


def _summary(sweep: Sweep) -> dict[str, Any]:
    runs = sweep.runs.all()
    return {
        "id": sweep.id,
        "kind": sweep.kind,
        "assignment": sweep.plan["assignment"],
        "page": sweep.page,
        "created_at": sweep.created_at,
        "rows": len(runs),
        "ended": sum(run.state in Run.ENDED for run in runs),
    }


def _answer(sweep: Sweep) -> dict[str, Any]:
    runs = _runs(sweep)
    base = next((run for run in runs if run.row and run.row["name"] == BASE), None)
    return {
        "id": sweep.id,
        "kind": sweep.kind,
        "plan": {name: value for name, value in sweep.plan.items() if name != "text"},
        "page": sweep.page,
        "created_at": sweep.created_at,
        "rows": [_row(run, base) for run in runs],
        "law": _law(runs) if sweep.kind == "scaling" else None,
    }


def _row(run: Run, base: Run | None) -> dict[str, Any]:
    result, theirs = run.result or {}, (base.result if base else None) or {}
    metrics, compared = result.get("metrics"), theirs.get("metrics")
    relative = None
    if metrics and compared and run is not base:
        relative = {name: value - compared[name] for name, value in metrics.items() if name in compared}
    return {
        **(run.row or {"name": run.id, "group": "", "changes": {}}),
        "id": run.id,
        "state": run.state,
        "page": run.page,
        "error": run.error,
        "model": run.checkpoint_id,
        **{name: result.get(name) for name in ("parameters", "tokens", "seconds")},
        "metrics": metrics,
        "relative": relative,
    }


def _law(runs: list[Run]) -> dict[str, Any] | None:
    points = [
        (float(run.result["parameters"]), float(run.result["tokens"]), run.result["metrics"]["loss"])
        for run in runs
        if run.result and "loss" in run.result["metrics"]
    ]
    law = fit(points)
    return None if law is None else {**asdict(law), "optima": _optima(law, points)}


def _optima(law: PowerLaw, points: list[tuple[float, float, float]]) -> list[tuple[float, float, float]]:
    budgets = [FLOPS * parameters * tokens for parameters, tokens, _ in points]
    least, most = min(budgets), max(budgets)
    found = []
    for step in range(BUDGETS):
        flops = least * (most / least) ** (step / (BUDGETS - 1))
        best = law.optimum(flops)
        if best is not None:
            found.append((flops, *best))
    return found
