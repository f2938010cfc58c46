"""`/metrics` for Prometheus: the fleet, its queues and what came of runs, read from rows when it is asked.

Told to whoever has the token, or, where there is none, to this machine alone.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterator

import redis
from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from webapp import dispatch
from webapp.administration.actions import QUEUES
from webapp.fleet.models import QueueState, Worker
from webapp.runs.models import Run


class FleetCollector(Collector):
    """Units stand in the names, as Prometheus wants them. Reads the database and the broker."""

    def collect(self) -> Iterator[Metric]:
        runs = GaugeMetricFamily("headlight_runs", "Runs by state.", labels=["state"])
        counted = dict(Run.objects.order_by().values_list("state").annotate(Count("pk")))
        for state in Run.State.values:
            runs.add_metric([state], counted.get(state, 0))
        yield runs
        yield from _queues()
        yield from _workers()
        broker = GaugeMetricFamily("headlight_broker_up", "1 where the broker answers.")
        sent = GaugeMetricFamily("headlight_broker_jobs", "Jobs that wait in the broker, by queue.", labels=["queue"])
        try:
            for queue in QUEUES:
                sent.add_metric([queue], dispatch.queue_length(queue))
            broker.add_metric([], 1)
        except redis.RedisError:
            broker.add_metric([], 0)
        yield broker
        yield sent


def _queues() -> Iterator[Metric]:
    states = list(QueueState.objects.all())
    for name, words, value in (
        ("waiting", "Runs that wait for a worker.", lambda queue: queue.waiting),
        ("running", "Runs that a worker is on.", lambda queue: queue.running),
        ("workers", "Workers of the queue that live.", lambda queue: queue.workers),
        ("oldest_seconds", "How long the first has waited.", lambda queue: queue.oldest_s),
        ("paused", "1 while it is paused.", lambda queue: int(queue.paused)),
    ):
        family = GaugeMetricFamily(f"headlight_queue_{name}", words, labels=["queue"])
        for queue in states:
            family.add_metric([queue.name], value(queue))
        yield family


def _workers() -> Iterator[Metric]:
    workers = list(Worker.objects.all())
    up = GaugeMetricFamily("headlight_worker_up", "1 while it lives.", labels=["worker", "device"])
    busy = GaugeMetricFamily("headlight_worker_running", "Runs that it is on.", labels=["worker"])
    for worker in workers:
        up.add_metric([worker.name, str(worker.pulse.get("device", ""))], int(worker.is_living))
        busy.add_metric([worker.name], len(worker.running))
    yield up
    yield busy
    sizes = GaugeMetricFamily("headlight_worker_model_bytes", "Weights in memory.", labels=["worker", "model"])
    living = [worker for worker in workers if worker.is_living]
    for worker in living:
        for model, size_bytes in worker.pulse.get("sizes_bytes", {}).items():
            sizes.add_metric([worker.name, model], size_bytes)
    yield sizes
    for name, words, gauge in (
        ("memory_total_bytes", "Memory of its device.", "memory_total_bytes"),
        ("memory_free_bytes", "Free memory of its device.", "memory_free_bytes"),
        ("utilisation_ratio", "How busy its device is, 0 to 1.", "utilisation"),
        ("temperature_celsius", "Of its device.", "temperature_c"),
        ("power_watts", "What its device draws.", "power_w"),
        ("disk_free_bytes", "Free for its data.", "disk_free_bytes"),
    ):
        family = GaugeMetricFamily(f"headlight_worker_{name}", words, labels=["worker"])
        for worker in living:
            value = (worker.pulse.get("gauges") or {}).get(gauge)
            if value is not None:
                family.add_metric([worker.name], value)
        yield family


REGISTRY = CollectorRegistry()
REGISTRY.register(FleetCollector())
ProcessCollector(registry=REGISTRY)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if not _may_read(request):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {settings.METRICS_TOKEN}".encode())
    # Behind a proxy everybody comes from this machine, and the proxy says for whom it asks.
    if "X-Forwarded-For" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
