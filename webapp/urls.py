"""The whole site on one page."""

from __future__ import annotations

from django.urls import path
from django.urls.resolvers import URLPattern, URLResolver

from webapp.api.router import api
from webapp.record.views import healthz, readyz
from webapp.runs import views
from webapp.runs.consumers import RunConsumer
from webapp.shares import views as share_views
from webapp.shares.consumers import ShareConsumer

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.explore, name="explore"),
    path("runs/<str:run_id>", views.explore_run, name="explore-run"),
    path("train", views.train, name="train"),
    path("trainings/<str:run_id>", views.watch_training, name="watch-training"),
    path("sweeps/<str:sweep_id>", views.watch_sweep, name="watch-sweep"),
    path("s/<str:slug>", share_views.share, name="share"),
    path("embed/<str:slug>", share_views.embed, name="embed"),
    path("library", views.library, name="library"),
    path("api/v1/", api.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]

handler404 = "webapp.runs.views.not_found"

socket_urlpatterns = [
    path("ws/runs/<str:run_id>", RunConsumer.as_asgi()),
    path("ws/shares/<str:slug>", ShareConsumer.as_asgi()),
]
