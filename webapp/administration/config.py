"""Puts our site in the place of Django's own; not in apps.py, where it would count as this package's configuration."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class HeadlightAdminConfig(AdminConfig):
    default_site = "webapp.administration.site.HeadlightAdmin"
