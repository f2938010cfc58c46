"""Django's admin, with the fleet's page, and signed in to as to the rest of the site."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern, URLResolver


class HeadlightAdmin(AdminSite):
    site_header = "Headlight"
    site_title = "Headlight"
    index_title = "Administration"

    def get_urls(self) -> list[URLPattern | URLResolver]:
        from webapp.administration import views  # Its models can be imported only when all apps are there.

        own = [
            path("fleet", self.admin_view(views.fleet), name="fleet"),
            path("fleet/do", self.admin_view(views.do), name="fleet-do"),
        ]
        return [*own, *super().get_urls()]

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """By the site's own page, which slows guessing down; by Django's where that is off."""
        if settings.SIGN_IN == "off" or request.user.is_authenticated:
            return super().login(request, extra_context)
        return redirect(f"{reverse('account_login')}?{urlencode({'next': request.GET.get('next', '/admin/')})}")
