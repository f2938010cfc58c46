"""How the administration calls what is here: allauth has an app of accounts too."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "webapp.accounts"
    verbose_name = "People"
