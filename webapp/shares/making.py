"""Make a share: copy the run's frames, have workers compute exact maps of the heads in view, then let it be found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import parse_qs

import numpy as np
from asgiref.sync import sync_to_async
from django.conf import settings

from webapp import dispatch, stream
from webapp.runs.models import Run
from webapp.runs.replay import Replay
from webapp.runs.writing import trace_of
from webapp.shares import kept
from webapp.shares.kept import MapName
from webapp.shares.models import ShareLink
from workers.protocol.events import Failed
from workers.protocol.frame import Frame
from workers.protocol.influence import InfluenceReading
from workers.protocol.jobs import TraceJob

log = logging.getLogger(__name__)

AT_ONCE = 4
SIDE = 1024
"""The head in view is kept whole at this many values a side at most; a longer map is pooled."""

# Of a flow there is one row alone, and each other row would be another one.
WHOLE_READINGS = ("value", "gradient", "rollout")

PATIENCE_S = 20.0
"""How long workers may take. What came until then is kept; the rest shows as its overview."""


@dataclass(frozen=True)
class Output:
    """Which output a gradient is of, as the page has it in sight."""

    position: int | None = None
    token: int | None = None


@dataclass(frozen=True)
class Wanted:
    name: MapName
    queries: int
    keys: int
    output: Output = Output()


async def fill(share: ShareLink, run: Run, told: Replay, output: Output) -> None:
    """Store what the share draws, and its size. Raises: OSError where the disk is full."""
    frames_bytes = await asyncio.to_thread(kept.keep_frames, share.folder, stream.stored_frames(run.id))
    maps = kept.MapsWriter(share.folder, settings.SHARE_LIMIT_BYTES - frames_bytes)
    try:
        async with asyncio.timeout(PATIENCE_S):
            await _keep_maps(maps, trace_of(run, told), list(wanted(told, share.view, output)))
    except TimeoutError:
        log.info("share %s: workers took too long, some heads are kept as overviews", share.pk)
    except dispatch.WorkersAwayError:
        log.info("share %s: no worker answers, all heads are kept as overviews", share.pk)
    finally:
        maps.close()
    share.size_bytes = kept.size_bytes(share.folder)
    await share.asave(update_fields=["size_bytes"])


def wanted(told: Replay, view: str, output: Output = Output()) -> Iterator[Wanted]:
    """The maps worth keeping: the head in view as it is read, then its weights and those of picked heads, then the
    others of its site, then all.
    """
    query = {name: values[-1] for name, values in parse_qs(view.lstrip("?")).items()}
    shapes = {site["site"]: site for site in told.sites}
    refs = dict.fromkeys(_refs(query, shapes))
    reading = query.get("reading", "").partition(".")[0]
    if refs and reading in WHOLE_READINGS:
        yield _wanted(next(iter(refs)), shapes, reading, output if reading == "gradient" else Output())
    for ref in refs:
        yield _wanted(ref, shapes, "attention", Output())


def _wanted(ref: tuple[str, int], shapes: dict[str, Any], reading: str, output: Output) -> Wanted:
    site, head = ref
    queries, keys = shapes[site]["queries"], shapes[site]["keys"]
    cell = 1
    while max(queries, keys) > SIDE * cell:
        cell *= 2
    name = MapName(site, head, kept.reading_name(reading, output.position, output.token), cell)
    return Wanted(name, queries, keys, output)


def _refs(query: dict[str, str], shapes: dict[str, Any]) -> Iterator[tuple[str, int]]:
    named = [f"{query.get('site', '')}.{query.get('head', '0')}", *query.get("picked", "").split("_")]
    for name in named:
        site, _, head = name.rpartition(".")
        if site in shapes and head.isascii() and head.isdigit() and int(head) < shapes[site]["heads"]:
            yield site, int(head)
    first = query.get("site", "")
    for site in sorted(shapes, key=lambda site: site != first):
        for place in range(shapes[site]["heads"]):
            yield site, place


async def _keep_maps(maps: kept.MapsWriter, trace: TraceJob, wants: list[Wanted]) -> None:
    for start in range(0, len(wants), AT_ONCE):
        some = wants[start : start + AT_ONCE]
        answers = await asyncio.gather(*(_ask(trace, want) for want in some))
        for want, (event, arrays) in zip(some, answers, strict=True):
            if isinstance(event, Failed):
                continue
            values = arrays.get("weights", arrays.get("values"))
            await sync_to_async(maps.add, thread_sensitive=False)(want.name, np.asarray(values))
        if maps.is_full:
            return


async def _ask(trace: TraceJob, want: Wanted) -> Frame:
    name, rows, cols = want.name, range(want.queries), range(want.keys)
    reading = cast("InfluenceReading", name.reading.partition(".")[0])
    if name.reading == "attention":
        return await dispatch.ask_tile(trace, name.site, name.head, rows, cols, name.cell)
    output = want.output
    return await dispatch.ask_influence(
        trace, name.site, name.head, reading, rows, cols, name.cell, output.position, output.token
    )
