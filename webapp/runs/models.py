"""A run: what was asked, and the job that does it, as one row with state, attempt and lease."""

from __future__ import annotations

import base64
import secrets
from typing import ClassVar

from django.conf import settings
from django.db import models

from webapp.checkpoints.models import Checkpoint
from workers.protocol.jobs import Choices, GenerateJob, TraceJob, TrainJob


def new_id() -> str:
    """128 random bits that read well in a URL and cannot be guessed."""
    return base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=").lower()


class Sweep(models.Model):
    """One plan in several variants: its rows are runs. `kind` is one of `modelcore.training.sweeps.variants`."""

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    kind = models.CharField(max_length=16)
    plan = models.JSONField()
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="sweeps")
    visible = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def page(self) -> str:
        return f"/sweeps/{self.id}"


class Run(models.Model):
    """One request and its job.

    A queued run is sent to the workers; a worker that starts it holds a lease, renewed by its heartbeats. When the
    lease runs out the run is queued again under the next attempt, and what the lost worker may still say is void.
    """

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        FINISHED = "finished"
        FAILED = "failed"
        CANCELLED = "cancelled"

    ENDED: ClassVar = [State.FINISHED, State.FAILED, State.CANCELLED]

    id = models.CharField(primary_key=True, max_length=26, default=new_id)
    kind = models.CharField(max_length=16, default="trace")
    # Of a training the model that it made, none before it is done.
    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="runs", null=True)
    text = models.TextField(null=True)
    ids = models.JSONField(null=True)
    target = models.TextField(null=True)
    target_ids = models.JSONField(null=True)
    text_pair = models.TextField(null=True)
    picture = models.CharField(max_length=64, null=True)
    featured = models.BooleanField(default=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="runs")
    # Whether others may see what has an owner; what has none, everybody sees.
    visible = models.BooleanField(default=False)
    # Whoever asked without signing in, as webapp.accounts.limits tells visitors apart.
    visitor = models.CharField(max_length=16, blank=True)
    title = models.CharField(max_length=120, blank=True)
    # ",syntax,week 3,", so that a whole tag can be searched for.
    tagged = models.CharField(max_length=500, blank=True)
    pinned = models.BooleanField(default=False)
    # Of a run that writes: how it chooses tokens, and the run that it goes on from with another token at a place.
    choices = models.JSONField(null=True)
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="branches")
    branched_at = models.PositiveIntegerField(null=True)
    # Of a training: what `modelcore.training.plan` reads.
    plan = models.JSONField(null=True)
    # What it came to: parameters, tokens, seconds and metrics, once it is done.
    result = models.JSONField(null=True)
    # Of a sweep's row: its sweep, and its name, its group and what it changes there.
    sweep = models.ForeignKey(Sweep, on_delete=models.CASCADE, related_name="runs", null=True)
    row = models.JSONField(null=True)

    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    attempt = models.PositiveIntegerField(default=1)
    losses = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True)
    dispatched_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    implementation = models.CharField(max_length=40, blank=True)
    timings = models.JSONField(default=dict)
    error = models.JSONField(null=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        indexes: ClassVar = [
            models.Index(fields=["state", "lease_until"]),
            models.Index(fields=["state", "created_at", "id"], name="runs_in_line"),
            models.Index(fields=["dispatched_at"], name="runs_handed_out"),
            models.Index(fields=["-created_at", "-id"], name="runs_newest_first"),
            models.Index(fields=["-created_at"], condition=models.Q(featured=True), name="runs_featured"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def page(self) -> str:
        return f"/runs/{self.id}" if self.plan is None else f"/trainings/{self.id}"

    @property
    def socket(self) -> str:
        return f"/ws/runs/{self.id}"

    @property
    def tags(self) -> list[str]:
        return [tag for tag in self.tagged.split(",") if tag]

    @tags.setter
    def tags(self, tags: list[str]) -> None:
        self.tagged = f",{','.join(tags)}," if tags else ""

    def job(self) -> TraceJob | GenerateJob | TrainJob:
        """This run's job as Celery carries it, under its present attempt."""
        if self.plan is not None:
            return TrainJob(
                run=self.id,
                attempt=self.attempt,
                submitted_at=self.created_at.timestamp(),
                plan=self.plan,
                paths=self._checkpoint_paths(),
            )
        if self.choices is None:
            return self.trace_job()
        return GenerateJob(trace=self.trace_job(), choices=Choices(**self.choices))

    def _checkpoint_paths(self) -> dict[str, str]:
        """Of the models that a training's plan names, by field. Reads the database where it names one."""
        named = {name: (self.plan or {}).get(name) for name in ("start", "tokenizer_from")}
        found = Checkpoint.objects.in_bulk([model for model in named.values() if model])
        return {name: found[model].path for name, model in named.items() if model in found}

    def trace_job(self) -> TraceJob:
        """What is read at first: of a run that writes, the text before it."""
        assert self.checkpoint is not None, "a training reads no text"
        return TraceJob(
            run=self.id,
            attempt=self.attempt,
            source=self.checkpoint.source,
            submitted_at=self.created_at.timestamp(),
            text=self.text,
            ids=self.ids,
            target=self.target,
            target_ids=self.target_ids,
            text_pair=self.text_pair,
            picture=self.picture,
        )
