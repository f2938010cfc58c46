"""The pages. They hold no data: the browser reads a run from its socket."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from webapp.accounts.ownership import may_see, person_of
from webapp.runs.models import Run, Sweep


@require_safe
def explore(request: HttpRequest) -> HttpResponse:
    """The first page: opens on the featured run, already answered."""
    run = Run.objects.filter(featured=True).first()
    return _page(request, run.id if run else "")


@require_safe
def explore_run(request: HttpRequest, run_id: str) -> HttpResponse:
    """A run's own page."""
    run = Run.objects.filter(pk=run_id).first()
    if run is None or not may_see(person_of(request), run):
        return not_found(request)
    return _page(request, run_id)


@require_safe
def train(request: HttpRequest) -> HttpResponse:
    """Where a training is planned, and those that there are."""
    return _page(request, "", "train.html", presets=settings.PLAN_PRESETS.read_text(encoding="utf-8"))


@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """Where models are brought, described, shared and taken out."""
    return _page(request, "", "library.html")


@require_safe
def watch_training(request: HttpRequest, run_id: str) -> HttpResponse:
    """A training's own page."""
    run = Run.objects.filter(pk=run_id, plan__isnull=False).first()
    if run is None or not may_see(person_of(request), run):
        return not_found(request)
    return _page(request, run_id, "train.html")


@require_safe
def watch_sweep(request: HttpRequest, sweep_id: str) -> HttpResponse:
    """A sweep's table."""
    sweep = Sweep.objects.filter(pk=sweep_id).first()
    if sweep is None or not may_see(person_of(request), sweep):
        return not_found(request)
    return _page(request, "", "train.html", sweep_id=sweep_id)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return render(request, "not_found.html", status=404)


def _page(request: HttpRequest, run_id: str, template: str = "explore.html", **more: str) -> HttpResponse:
    response = render(request, template, {"run_id": run_id, "plotly_url": settings.PLOTLY_URL, **more})
    response["Cache-Control"] = "no-store"
    return response
