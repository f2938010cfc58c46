"""What a page's own scripts take of each frame, from the browser's timeline."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page

CATEGORIES = ["devtools.timeline", "disabled-by-default-devtools.timeline", "v8", "__metadata"]
SCRIPTS = {
    *("EventDispatch", "FireAnimationFrame", "FunctionCall", "TimerFire", "FireIdleCallback", "RunMicrotasks"),
    *("EvaluateScript", "v8.callFunction", "v8.run", "v8.evaluateModule"),
}
COLLECTIONS = {"MinorGC", "MajorGC", "V8.GC_SCAVENGER", "V8.GCScavenger", "V8.GCFinalizeMC"}
FRAME = "BeginCommitCompositorFrame"


@dataclass(frozen=True)
class Frames:
    """Units: ms of each frame that the page drew. Layout that a script forces counts as its own."""

    scripts: list[float]
    """What the thread computed, without garbage collection. Where it waited for a processor is not the page's doing."""
    collections: list[float]


def recorded(browser: Browser, page: Page, action: Callable[[], None]) -> Frames:
    """What happens in the page's main thread while a hand does something to it."""
    browser.start_tracing(page=page, categories=CATEGORIES)
    action()
    return frames_of(json.loads(browser.stop_tracing())["traceEvents"])


def frames_of(events: list[dict[str, Any]]) -> Frames:
    """The frames of the busiest page in a timeline.

    Source: "Trace Event Format", Google, 2016: complete events ("X"); ts and dur by the clock, tdur of the thread,
        in microseconds.
    """
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    ran = Counter(_thread(event) for event in events if event["name"] in SCRIPTS and _thread(event) in threads)
    (busiest, _), *_ = ran.most_common(1)
    mine = sorted((event for event in events if _thread(event) == busiest), key=lambda event: event["ts"])
    commits = [event["ts"] for event in mine if event["name"] == FRAME]
    scripts: defaultdict[int, float] = defaultdict(float)
    collections: defaultdict[int, float] = defaultdict(float)
    drawn: set[int] = set()
    script_end = collection_end = 0.0
    for event in mine:
        if event["ph"] != "X":
            continue
        start, end = event["ts"], event["ts"] + event.get("dur", 0)
        frame, computed_ms = bisect_right(commits, start), event.get("tdur", 0) / 1000
        if event["name"] == "FireAnimationFrame":
            drawn.add(frame)
        # Events nest; what lies within an earlier one is counted with it.
        if event["name"] in SCRIPTS and start >= script_end:
            scripts[frame] += computed_ms
            script_end = end
        elif event["name"] in COLLECTIONS and start >= collection_end:
            collections[frame] += computed_ms
            if start < script_end:
                scripts[frame] -= computed_ms
            collection_end = end
    return Frames(scripts=[scripts[n] for n in sorted(drawn)], collections=list(collections.values()))


def _thread(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]
