"""Make a share: copy the run's frames, have workers compute exact maps of the heads in view, then let it be found."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Iterator
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
from webapp.shares import first_heads, kept
from webapp.shares.kept import MapName
from webapp.shares.models import ShareLink
from workers.protocol.events import Failed
from workers.protocol.frame import Frame
from workers.protocol.influence import FLOW_TOKENS, InfluenceReading
from workers.protocol.jobs import Sequences, TraceJob

log = logging.getLogger(__name__)

AT_ONCE = 4
SIDE = 1024
"""The head in view is kept whole at this many values a side at most; a longer map is pooled."""

GUESSES = 5
"""Of the lens at each layer and position, as many as the page asks for."""

PATIENCE_S = 20.0
"""How long workers may take. What came until then is kept; the rest shows as its overview."""


@dataclass(frozen=True)
class Output:
    """Which output a gradient is of, as the page has it in sight."""

    position: int | None = None
    token: int | None = None


@dataclass(frozen=True)
class LensWindow:
    """The lens as it was open; `kept` are the positions to be stored, the window among them."""

    positions: range
    kept: range
    tuned: bool


@dataclass(frozen=True)
class Second:
    """The run that the shared one is compared with, and by what their tokens are known."""

    run: Run
    told: Replay
    trace: TraceJob
    sequences: dict[str, Sequences]
    sites: list[str]


@dataclass(frozen=True)
class Seen:
    """What is in view, beside what its address says."""

    is_picture: bool = False
    output: Output = Output()
    lens: LensWindow | None = None
    second: Second | None = None


@dataclass(frozen=True)
class Wanted:
    name: MapName
    rows: range
    cols: range
    output: Output = Output()


async def fill(share: ShareLink, run: Run, told: Replay, seen: Seen) -> None:
    """Store what the share draws, and its size. Raises: OSError where the disk is full."""
    stored = await asyncio.to_thread(kept.keep_frames, share.folder, stream.stored_frames(run.id))
    stored += await asyncio.to_thread(first_heads.keep, share.folder, stream.stored_frames(run.id))
    if seen.second:
        of_second = stream.stored_frames(seen.second.run.id)
        stored += await asyncio.to_thread(kept.keep_frames, share.folder / kept.SECOND, of_second)
    trace = trace_of(run, told)
    maps = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            stored += await _keep_answers(share, trace, told, seen)
            maps = kept.MapsWriter(share.folder, settings.SHARE_LIMIT_BYTES - stored)
            await _keep_maps(maps, trace, seen.second, list(wanted(told, share.view, seen)))
    except TimeoutError:
        log.info("share %s: workers took too long, some heads are kept as overviews", share.pk)
    except dispatch.WorkersAwayError:
        log.info("share %s: no worker answers, all heads are kept as overviews", share.pk)
    finally:
        if maps:
            maps.close()
    share.size_bytes = kept.size_bytes(share.folder)
    await share.asave(update_fields=["size_bytes", "lens", "pairs"])


async def _keep_answers(share: ShareLink, trace: TraceJob, told: Replay, seen: Seen) -> int:
    """What workers say of the pairs in view, of the lens and of both runs; returns the bytes."""
    stored, share.pairs = 0, []
    for pair in pairs_in(told, share.view):
        name = kept.pair_name(len(share.pairs))
        if taken_apart := await _keep_answer(share, name, dispatch.ask_pair(trace, *pair)):
            stored += taken_apart
            share.pairs.append(dict(zip(("site", "head", "row", "col"), pair, strict=True)))
    if seen.lens:
        lens = seen.lens
        answer = dispatch.ask_lens(trace, lens.kept, GUESSES, lens.tuned)
        of_lens = await _keep_answer(share, kept.LENS, answer)
        stored += of_lens
        if of_lens:
            share.lens = {
                "positions": (lens.positions.start, lens.positions.stop),
                "kept": (lens.kept.start, lens.kept.stop),
                "tuned": lens.tuned,
            }
    if seen.second:
        second = seen.second
        most_weights = settings.COMPARISON_LIMIT_WEIGHTS // len(second.sites)
        answer = dispatch.ask_comparison(trace, second.trace, second.sequences, second.sites, most_weights)
        stored += await _keep_answer(share, kept.COMPARISON, answer)
    return stored


async def _keep_answer(share: ShareLink, name: str, answer: Awaitable[Frame]) -> int:
    """Returns the bytes: none where the worker refused."""
    event, arrays = await answer
    if isinstance(event, Failed):
        log.info("share %s: its %s is not kept: %s", share.pk, name, event.message)
        return 0
    return await asyncio.to_thread(kept.keep_answer, share.folder, name, event, arrays)


def wanted(told: Replay, view: str, seen: Seen = Seen()) -> Iterator[Wanted]:
    """The maps worth keeping: heads in view as they are read, then their weights, then the others of the site, then
    all. Of a comparison each with the second run's and the difference.
    """
    query, shapes = _query(view), _shapes(told)
    reading = query.get("reading", "").partition(".")[0]
    if reading in ("value", "gradient", "rollout", "flow"):
        for site, head in dict.fromkeys(_named(query, shapes)):
            yield from _as_read(MapName(site, head, reading, 1), shapes[site], query, seen)
    for site, head in dict.fromkeys((*_named(query, shapes), *_all(query, shapes))):
        yield _whole(site, head, "attention", shapes[site])
        if seen.second and site in seen.second.sites:
            yield _whole(site, head, kept.SECOND, seen.second.told.site(site) or shapes[site])
            yield _whole(site, head, kept.DIFFERENCE, shapes[site])


def pairs_in(told: Replay, view: str) -> Iterator[tuple[str, int, int, int]]:
    """Site, head, row and column of each weight that can be taken apart in this view: of the kept two tokens in the
    head that is shown, and in those that were picked.
    """
    query, shapes = _query(view), _shapes(told)
    for site, head in dict.fromkeys(_named(query, shapes)):
        row, col = _row_kept(query, shapes[site]), _place(query.get("key", ""), shapes[site]["keys"])
        if row is not None and col is not None:
            yield site, head, row, col


def _query(view: str) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(view.lstrip("?")).items()}


def _shapes(told: Replay) -> dict[str, dict[str, Any]]:
    return {site["site"]: site for site in told.sites}


def _as_read(name: MapName, shape: dict[str, Any], query: dict[str, str], seen: Seen) -> Iterator[Wanted]:
    """A head in another reading than its weights."""
    if name.reading != "flow":
        of = seen.output if name.reading == "gradient" else Output()
        yield _whole(name.site, name.head, kept.reading_name(name.reading, of.position, of.token), shape, of)
    elif shape["kind"] == "self" and shape["queries"] <= FLOW_TOKENS:
        row = _flow_row(query, shape, seen.is_picture)
        flow = kept.reading_name("flow", row=row)
        yield Wanted(MapName(name.site, name.head, flow, 1), range(row, row + 1), range(shape["keys"]))


def _flow_row(query: dict[str, str], shape: dict[str, Any], is_picture: bool) -> int:
    """The token whose flow the page shows: the kept one where it is a row of this map, else the last, of a picture the
    first.
    """
    if (row := _row_kept(query, shape)) is not None:
        return row
    return 0 if is_picture else int(shape["queries"]) - 1


def _row_kept(query: dict[str, str], shape: dict[str, Any]) -> int | None:
    """The kept token, where it is a row of this map."""
    sequence, _, index = query.get("token", "").partition(".")
    return _place(index, shape["queries"]) if sequence == shape["stack"] else None


def _place(written: str, length: int) -> int | None:
    return int(written) if written.isascii() and written.isdigit() and int(written) < length else None


def _whole(site: str, head: int, reading: str, shape: dict[str, Any], output: Output = Output()) -> Wanted:
    queries, keys = shape["queries"], shape["keys"]
    cell = 1
    while max(queries, keys) > SIDE * cell:
        cell *= 2
    return Wanted(MapName(site, head, reading, cell), range(queries), range(keys), output)


def _named(query: dict[str, str], shapes: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The head in view, and those that were picked."""
    return _heads([_shown(query), *query.get("picked", "").split("_")], shapes)


def _shown(query: dict[str, str]) -> str:
    return f"{query.get('site', '')}.{query.get('head', '0')}"


def _heads(names: list[str], shapes: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """Those that there are."""
    for name in names:
        site, _, head = name.rpartition(".")
        if site in shapes and (place := _place(head, shapes[site]["heads"])) is not None:
            yield site, place


def _all(query: dict[str, str], shapes: dict[str, Any]) -> Iterator[tuple[str, int]]:
    first = query.get("site", "")
    for site in sorted(shapes, key=lambda site: site != first):
        for place in range(shapes[site]["heads"]):
            yield site, place


async def _keep_maps(maps: kept.MapsWriter, trace: TraceJob, second: Second | None, wants: list[Wanted]) -> None:
    for start in range(0, len(wants), AT_ONCE):
        some = wants[start : start + AT_ONCE]
        answers = await asyncio.gather(*(_ask(trace, second, want) for want in some))
        for want, (event, arrays) in zip(some, answers, strict=True):
            if isinstance(event, Failed):
                continue
            values = arrays.get("weights", arrays.get("values"))
            await sync_to_async(maps.add, thread_sensitive=False)(want.name, np.asarray(values))
        if maps.is_full:
            return


async def _ask(trace: TraceJob, second: Second | None, want: Wanted) -> Frame:
    (site, head), (rows, cols, cell) = (want.name.site, want.name.head), (want.rows, want.cols, want.name.cell)
    reading = want.name.reading.partition(".")[0]
    if reading == "attention":
        return await dispatch.ask_tile(trace, site, head, rows, cols, cell)
    if second and reading == kept.SECOND:
        return await dispatch.ask_tile(second.trace, site, head, rows, cols, cell)
    if second and reading == kept.DIFFERENCE:
        sequences = second.sequences
        return await dispatch.ask_difference(trace, second.trace, sequences, site, head, rows, cols, cell)
    output = want.output
    influence = cast("InfluenceReading", reading)
    return await dispatch.ask_influence(trace, site, head, influence, rows, cols, cell, output.position, output.token)
