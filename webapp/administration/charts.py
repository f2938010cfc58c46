"""Lines over time as SVG that the server writes: no script is needed, and the policy allows none inline."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from webapp.fleet.models import QueueSample, WorkerSample

WIDTH, HEIGHT = 640, 140
POINTS = 240
MOST_LINES = 7
"""As many as there are hues and dashes to tell them apart."""


@dataclass(frozen=True)
class Line:
    """`points` as SVG wants them; more than one stroke where nothing was told in between."""

    label: str
    strokes: list[str]
    last: float
    number: int


@dataclass(frozen=True)
class Chart:
    """`kind` chooses title and unit."""

    kind: str
    lines: list[Line]
    top: float

    width = WIDTH
    height = HEIGHT


def charts(span: timedelta) -> list[Chart]:
    """What waits, how busy devices are, how full their memory is. Reads the samples of the span."""
    now = timezone.now()
    queues = QueueSample.objects.filter(at__gte=now - span).values_list("queue", "at", "waiting")
    busy = WorkerSample.objects.filter(at__gte=now - span).values_list("worker_id", "at", "utilisation")
    memory = WorkerSample.objects.filter(at__gte=now - span, memory_total_bytes__gt=0).values_list(
        "worker_id", "at", "memory_used_bytes", "memory_total_bytes"
    )
    shares = (
        (name, at, None if used is None or not total else used / total) for name, at, used, total in memory.iterator()
    )
    return [
        _chart("waiting", queues.iterator(), now, span),
        _chart("busy", busy.iterator(), now, span, top=1.0),
        _chart("memory", shares, now, span, top=1.0),
    ]


def _chart(
    kind: str,
    told: Iterable[tuple[str, datetime, float | None]],
    now: datetime,
    span: timedelta,
    top: float | None = None,
) -> Chart:
    """The largest value of each stretch of time: a short queue that was long for a minute is seen."""
    stretch_s = span.total_seconds() / POINTS
    largest: dict[str, dict[int, float]] = defaultdict(dict)
    for name, at, value in told:
        if value is None:
            continue
        place = POINTS - 1 - int((now - at).total_seconds() / stretch_s)
        largest[name][place] = max(value, largest[name].get(place, 0.0))
    if top is None:
        top = max((value for values in largest.values() for value in values.values()), default=0.0) or 1.0
    # Those that have most to tell, where there are more than can be told apart.
    names = sorted(sorted(largest, key=lambda name: -sum(largest[name].values()))[:MOST_LINES])
    return Chart(kind, [_line(name, largest[name], top, number + 1) for number, name in enumerate(names)], top)


def _line(name: str, values: dict[int, float], top: float, number: int) -> Line:
    strokes: list[list[str]] = [[]]
    before: int | None = None
    for place in sorted(values):
        # Samples of long ago lie up to a quarter of an hour apart.
        if before is not None and place - before > 6:
            strokes.append([])
        strokes[-1].append(f"{place * WIDTH / (POINTS - 1):.1f},{HEIGHT * (1 - values[place] / top):.1f}")
        before = place
    drawn = [" ".join(_seen(stroke)) for stroke in strokes if stroke]
    return Line(name, drawn, values[max(values)] if values else 0.0, number)


def _seen(stroke: Sequence[str]) -> list[str]:
    """A stroke of one point would not be drawn."""
    if len(stroke) > 1:
        return list(stroke)
    x, y = stroke[0].split(",")
    return [stroke[0], f"{float(x) + 1.5:.1f},{y}"]
