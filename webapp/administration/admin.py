"""Rows that staff may look through. What has a life of its own is only read here; the fleet's page changes it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.forms import ModelForm
from django.http import HttpRequest

from webapp.accounts.models import Person
from webapp.checkpoints.models import Checkpoint
from webapp.fleet.models import AuditEntry, QueueState, Worker
from webapp.runs.models import Run


class ReadOnly(admin.ModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Person)
class PersonAdmin(UserAdmin):
    """The role says what one may use; whoever is an admin may come here too."""

    list_display = ["email", "role", "is_staff", "is_active", "last_login"]
    list_filter = ["role", "is_staff", "is_active"]
    search_fields = ["email"]
    ordering = ["email"]
    fieldsets = [
        (None, {"fields": ["username", "email", "password"]}),
        (None, {"fields": ["role", "is_active", "is_staff", "is_superuser"]}),
        (None, {"fields": ["last_login", "date_joined"]}),
    ]
    add_fieldsets = [(None, {"fields": ["username", "email", "role", "password1", "password2"]})]

    def save_model(self, request: HttpRequest, obj: Person, form: ModelForm[Person], change: bool) -> None:
        obj.is_staff = obj.is_staff or obj.role == Person.Role.ADMIN
        super().save_model(request, obj, form, change)


@admin.register(Run)
class RunAdmin(ReadOnly):
    list_display = ["id", "kind", "checkpoint", "state", "attempt", "losses", "worker", "owner", "created_at"]
    list_filter = ["state", "kind"]
    search_fields = ["id", "worker"]
    # Of what people typed only themselves see more.
    fields = [
        *("id", "kind", "checkpoint", "state", "attempt", "losses", "worker", "owner", "implementation"),
        *("created_at", "dispatched_at", "started_at", "ended_at", "lease_until", "timings", "error"),
    ]


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnly):
    list_display = ["id", "name", "owner", "created_at"]
    search_fields = ["id", "name"]


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    list_display = ["name", "wanted", "first_seen_at", "seen_at"]


@admin.register(QueueState)
class QueueAdmin(ReadOnly):
    list_display = ["name", "paused", "waiting", "running", "workers", "oldest_s", "looked_at"]


@admin.register(AuditEntry)
class AuditAdmin(ReadOnly):
    list_display = ["at", "actor_name", "action", "target", "answer", "answered_at"]
    list_filter = ["action"]
    search_fields = ["target", "actor_name"]
