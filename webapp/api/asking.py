"""What every address of a run shares: the run and the head that it names, and the wait for a worker's answer."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from django.http import HttpRequest

from webapp import dispatch
from webapp.accounts.ownership import may_change, may_curate, may_see, person_of
from webapp.api.errors import ApiError, ErrorAnswer
from webapp.runs import replay
from webapp.runs.models import Run
from webapp.runs.replay import Replay
from webapp.runs.writing import trace_of
from workers.protocol.events import Failed
from workers.protocol.frame import Frame
from workers.protocol.jobs import TraceJob

REFUSALS = {
    400: ErrorAnswer,
    401: ErrorAnswer,
    403: ErrorAnswer,
    404: ErrorAnswer,
    409: ErrorAnswer,
    413: ErrorAnswer,
    415: ErrorAnswer,
    422: ErrorAnswer,
    429: ErrorAnswer,
    503: ErrorAnswer,
}


def as_bytes(kind: str) -> dict[str, Any]:
    """For an address's `openapi_extra`: that it answers with bytes of this media type too."""
    return {"responses": {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}}}}}}


# A run's maps never change, so a browser may keep what it has.
KEEP_FOR_EVER = "private, max-age=31536000, immutable"


def find_run(request: HttpRequest, run_id: str) -> Run:
    """Raises: ApiError, the same where there is no such run and where it is somebody else's."""
    run = Run.objects.select_related("checkpoint").filter(pk=run_id).first()
    if run is None or not may_see(person_of(request), run):
        raise ApiError(404, "unknown_run", "There is no run with this id.", field="id")
    return run


def find_own_run(request: HttpRequest, run_id: str) -> Run:
    """One that whoever asks may change. Raises: ApiError."""
    run = find_run(request, run_id)
    if not may_change(person_of(request), run):
        raise ApiError(403, "not_yours", "This run is somebody else's: it can be read, not changed.", field="id")
    return run


def find_run_to_change(request: HttpRequest, run_id: str) -> Run:
    """The same, for what changes the run itself: nobody's is everybody's, but not what everybody sees first.

    Raises: ApiError.
    """
    run = find_own_run(request, run_id)
    if run.featured and not may_curate(person_of(request)):
        raise ApiError(
            403,
            "featured_run",
            "The first page opens on this run, so teachers and admins alone change it. Run the same text for one of "
            "your own.",
            field="id",
        )
    return run


def find_head(request: HttpRequest, run_id: str, site: str, head: int) -> tuple[TraceJob, dict[str, Any]]:
    """The trace that made the map, and what it told of the site: heads, queries, keys. Reads the database and the
    run's file.
    """
    run = find_run(request, run_id)
    if run.checkpoint is None and run.plan is None:
        raise ApiError(409, "model_missing", "The model of this run was deleted; its overviews stay.", field="id")
    told = replay.replay(run.id)
    shape = find_shape(told, site, head)
    return trace_of(run, told), shape


def find_shape(told: Replay, site: str, head: int) -> dict[str, Any]:
    """What was told of a site that has this head. Raises: ApiError where there is none."""
    shape = told.site(site)
    if shape is None:
        sites = ", ".join(found["site"] for found in told.sites[:8]) or "none yet"
        raise ApiError(404, "unknown_site", f"This run has no site of this name. It has {sites}.", field="site")
    if not 0 <= head < shape["heads"]:
        raise ApiError(
            404,
            "unknown_head",
            f"{site} has the heads 0 to {shape['heads'] - 1}.",
            field="head",
            limit=shape["heads"] - 1,
        )
    return shape


def span(name: str, given: str, length: int, cell: int = 1) -> range:
    """The rows or columns that "a:b" names; all of them where nothing is given."""
    if not given:
        return range(length)
    start, colon, stop = given.partition(":")
    # More digits than a length has say nothing, and thousands of them are more than int() reads.
    numbers = colon and all(part.isascii() and part.isdigit() and len(part) < 16 for part in (start, stop))
    if numbers and int(start) < int(stop) <= length and int(start) % cell == 0:
        return range(int(start), int(stop))
    aligned = f", a a multiple of {cell}" if cell > 1 else ""
    raise ApiError(422, "bad_range", f"{name} is a:b with 0 <= a < b <= {length}{aligned}.", field=name, limit=length)


async def answered(asked: Awaitable[Frame]) -> tuple[Any, dict[str, memoryview[Any]]]:
    """What the worker answered, with its arrays. Raises: ApiError where none answered, or it says why it cannot."""
    try:
        event, arrays = await asked
    except dispatch.WorkersAwayError:
        raise ApiError(503, "workers_away", "No worker answered. The map can be asked for again in a moment.") from None
    if isinstance(event, Failed):
        raise ApiError(409, event.code, event.message)
    return event, arrays
