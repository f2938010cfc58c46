"""The fleet as rows, so that its page is right after any restart: workers, queues, their history, what people did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from workers.protocol import keys
from workers.protocol.fleet import Standing


class Worker(models.Model):
    """One worker by its name. `pulse` is what it told last, `wanted` what people want of it, after a restart too."""

    class Wanted(models.TextChoices):
        WORKING = "working"
        DRAINED = "drained"
        STOPPED = "stopped"

    name = models.CharField(primary_key=True, max_length=200)
    pulse = models.JSONField(default=dict)
    wanted = models.CharField(max_length=8, choices=Wanted, default=Wanted.WORKING)
    # Numbers the newest wish; the worker repeats it when it follows.
    order = models.PositiveBigIntegerField(default=0)
    first_seen_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_living(self) -> bool:
        """By the recorder's clock, which wrote it down; a worker's own may be wrong."""
        return timezone.now() - self.seen_at < timedelta(seconds=keys.HEARTBEAT_TTL_S)

    @property
    def standing(self) -> Standing:
        """What is wanted of it. Reads its pins."""
        pinned = tuple(sorted(self.pins.values_list("model", flat=True)))
        return Standing(self.wanted, pinned, self.order)  # type: ignore[arg-type]

    @property
    def running(self) -> list[dict[str, Any]]:
        """Runs and attempts that it was on when it told last."""
        return list(self.pulse.get("running", [])) if self.is_living else []


class Pin(models.Model):
    """A model that a worker keeps, and whose runs go there while it lives. `model` is the library's id."""

    model = models.CharField(max_length=80)
    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="pins")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["model", "worker"], name="one_pin_each")]

    def __str__(self) -> str:
        return f"{self.model} on {self.worker_id}"


class QueueState(models.Model):
    """One queue as it was last looked at. While it is paused its runs wait in the database."""

    name = models.CharField(primary_key=True, max_length=40)
    paused = models.BooleanField(default=False)
    waiting = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    workers = models.PositiveIntegerField(default=0)
    oldest_s = models.FloatField(default=0.0)
    looked_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class WorkerSample(models.Model):
    """What a worker told at a time. None where its driver tells nothing."""

    worker = models.ForeignKey(Worker, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField(db_index=True)
    running = models.PositiveSmallIntegerField(default=0)
    models_held = models.PositiveSmallIntegerField(default=0)
    memory_used_bytes = models.PositiveBigIntegerField(null=True)
    memory_total_bytes = models.PositiveBigIntegerField(null=True)
    utilisation = models.FloatField(null=True)
    temperature_c = models.FloatField(null=True)
    power_w = models.FloatField(null=True)

    class Meta:
        ordering: ClassVar = ["at"]

    def __str__(self) -> str:
        return f"{self.worker_id} at {self.at:%Y-%m-%d %H:%M:%S}"


class QueueSample(models.Model):
    """How long a queue was at a time, and for how many workers."""

    queue = models.CharField(max_length=40)
    at = models.DateTimeField(db_index=True)
    waiting = models.PositiveIntegerField()
    running = models.PositiveIntegerField()
    workers = models.PositiveIntegerField()
    oldest_s = models.FloatField()

    class Meta:
        ordering: ClassVar = ["at"]

    def __str__(self) -> str:
        return f"{self.queue} at {self.at:%Y-%m-%d %H:%M:%S}"


class AuditEntry(models.Model):
    """What somebody did to the fleet, and what came of it: `answer` is empty until whoever was asked answered."""

    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    # Stays when the account goes.
    actor_name = models.CharField(max_length=150)
    action = models.CharField(max_length=40)
    target = models.CharField(max_length=200, blank=True)
    details = models.JSONField(default=dict)
    # Of what a worker is asked: whom, so that its answer can be told from another's.
    worker = models.CharField(max_length=200, blank=True)
    answered_at = models.DateTimeField(null=True)
    answer = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.actor_name}: {self.action} {self.target}"
