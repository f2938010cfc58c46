"""The whole site on one page."""

from __future__ import annotations

from allauth.account import views as accounts
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.urls.resolvers import URLPattern, URLResolver

from webapp.administration.metrics import metrics
from webapp.api.router import api
from webapp.api.trying import try_api
from webapp.classes import views as class_views
from webapp.people import views as people
from webapp.record.views import healthz, readyz
from webapp.runs import views
from webapp.runs.consumers import RunConsumer
from webapp.shares import views as share_views
from webapp.shares.consumers import ShareConsumer

sign_in: list[URLPattern | URLResolver] = [
    path("login/", accounts.login, name="account_login"),
    path("logout/", accounts.logout, name="account_logout"),
    path("signup/", accounts.signup, name="account_signup"),
    path("inactive/", accounts.account_inactive, name="account_inactive"),
    # For whoever was given an account without one.
    path("password/set/", accounts.password_set, name="account_set_password"),
    path("password/change/", accounts.password_change, name="account_change_password"),
]
if settings.EMAIL_URL:
    sign_in += [
        path("password/reset/", accounts.password_reset, name="account_reset_password"),
        path("password/reset/done/", accounts.password_reset_done, name="account_reset_password_done"),
        path(
            "password/reset/key/<str:uidb36>-<str:key>/",
            accounts.password_reset_from_key,
            name="account_reset_password_from_key",
        ),
        path(
            "password/reset/key/done/",
            accounts.password_reset_from_key_done,
            name="account_reset_password_from_key_done",
        ),
    ]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", views.explore, name="explore"),
    path("runs/<str:run_id>", views.explore_run, name="explore-run"),
    path("train", views.train, name="train"),
    path("trainings/<str:run_id>", views.watch_training, name="watch-training"),
    path("sweeps/<str:sweep_id>", views.watch_sweep, name="watch-sweep"),
    path("runs", people.runs, name="runs"),
    path("account", people.account, name="account"),
    path("account/tokens", people.make_token, name="make-token"),
    path("account/tokens/<int:token_id>/revoke", people.revoke_token, name="revoke-token"),
    path("account/export", people.export, name="export-account"),
    path("account/delete", people.delete, name="delete-account"),
    path("classes", class_views.classes, name="classes"),
    path("classes/<str:class_id>", class_views.school_class, name="class"),
    path("join/<str:link>", class_views.join, name="join-class"),
    path("accounts/", include(sign_in)),
    path("s/<str:slug>", share_views.share, name="share"),
    path("embed/<str:slug>", share_views.embed, name="embed"),
    path("library", views.library, name="library"),
    path("api/v1/docs", try_api, name="try-api"),
    path("admin/", admin.site.urls),
    path("api/v1/", api.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler404 = "webapp.runs.views.not_found"
handler500 = "webapp.api.failing.site_failed"

socket_urlpatterns = [
    path("ws/runs/<str:run_id>", RunConsumer.as_asgi()),
    path("ws/shares/<str:slug>", ShareConsumer.as_asgi()),
]
