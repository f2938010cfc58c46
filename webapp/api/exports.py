"""A run as a file over HTTP: a page that works offline, or a notebook that makes it again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router

from webapp import stream
from webapp.api.asking import REFUSALS, as_bytes, find_run, find_shape
from webapp.api.errors import ApiError
from webapp.exports.notebook import notebook
from webapp.exports.page import page
from webapp.runs import replay
from webapp.runs.models import Run

router = Router(tags=["runs"])

HTML, IPYNB = "text/html", "application/x-ipynb+json"


@router.get(
    "/runs/{run_id}/page",
    response={200: None, **REFUSALS},
    summary="A run as one HTML file that works offline",
    openapi_extra=as_bytes(HTML),
)
def read_page(request: HttpRequest, run_id: str) -> HttpResponse:
    """Every head's overview with the tokens: up to 64 tokens that is every weight, in 8 bits."""
    run, _ = _ended(request, run_id)
    address = request.build_absolute_uri(run.page)
    title = run.title or (run.text or "A run")[:80]
    return _file(page(title, stream.stored_frames(run.id), address), HTML, f"headlight-{run.id[:8]}.html")


@router.get(
    "/runs/{run_id}/notebook",
    response={200: None, **REFUSALS},
    summary="A notebook that makes a run again",
    openapi_extra=as_bytes(IPYNB),
)
def read_notebook(
    request: HttpRequest,
    run_id: str,
    site: str = Query("", max_length=40, description="the head that it draws; the first where left out"),
    head: int = 0,
) -> HttpResponse:
    run, told = _ended(request, run_id)
    shown = site or told.sites[0]["site"]
    find_shape(told, shown, head)
    address = request.build_absolute_uri("/").rstrip("/")
    return _file(notebook(run, address, shown, head), IPYNB, f"headlight-{run.id[:8]}.ipynb")


def _ended(request: HttpRequest, run_id: str) -> tuple[Run, replay.Replay]:
    run = find_run(request, run_id)
    told = replay.replay(run.id)
    if not told.sites or told.ending is None:
        raise ApiError(409, "not_finished", "Wait until the run has ended; then it can be saved.", field="id")
    return run, told


def _file(text: str, kind: str, name: str) -> HttpResponse:
    """To be saved, not opened here: a browser that opens it anyway runs nothing of it in this site's name."""
    response = HttpResponse(text, content_type=f"{kind}; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Content-Security-Policy"] = "sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response
