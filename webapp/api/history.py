"""One's runs over HTTP: find them again, name them, pin them, show them to others, delete them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from ninja import Query, Schema, Status
from pydantic import ConfigDict, Field, StringConstraints

from webapp import stream
from webapp.accounts.models import Person
from webapp.accounts.ownership import may_change, may_curate, person_of, seen_by
from webapp.api.asking import REFUSALS, as_bytes, find_run, find_run_to_change
from webapp.api.pages import Page, page_of
from webapp.api.runs import router
from webapp.people.belongings import delete_run
from webapp.runs.models import Run
from webapp.runs.thumbnail import thumbnail

MOST_TAGS = 12
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=32, pattern="^[^,]+$")]
KEEP_A_DAY = "private, max-age=86400"


class RunSummary(Schema):
    """`mine` is whether whoever asks may change it; what nobody owns, everybody may,
    but for the run that the first page opens on."""

    id: str
    kind: str
    model: str | None
    state: Literal["queued", "running", "finished", "failed", "cancelled"]
    title: str
    text: str | None = Field(description="Its beginning.")
    target: str | None = Field(description="Its beginning.")
    picture: str | None
    tags: list[str]
    pinned: bool
    visible: bool
    mine: bool
    created_at: datetime
    page: str


class RunsAnswer(Schema):
    runs: list[RunSummary]
    next: str | None = Field(description="The cursor of the next page; null on the last.")


class Wanted(Schema):
    search: str = Field("", max_length=200, description="in title, text and tags")
    state: Literal["", "queued", "running", "finished", "failed", "cancelled"] = ""
    kind: Literal["", "trace", "generate", "train"] = ""
    model: str = Field("", max_length=80)
    tag: str = Field("", max_length=32)
    pinned: bool | None = None


class Changes(Schema):
    """What is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    title: str | None = Field(None, max_length=120)
    tags: list[Tag] | None = Field(None, max_length=MOST_TAGS)
    pinned: bool | None = None
    visible: bool | None = Field(None, description="Whether others may see it too, where it has an owner.")


@router.get("/runs", response={200: RunsAnswer, **REFUSALS}, summary="The runs that one may see, the newest first")
def listed(request: HttpRequest, page: Query[Page], wanted: Query[Wanted]) -> dict[str, Any]:
    """Of whoever signed in her own, and those that nobody owns or that are shown to all."""
    person = person_of(request)
    found = Run.objects.filter(seen_by(person))
    if wanted.search:
        parts = ("title", "text", "tagged")
        matches = [Q(**{f"{part}__icontains": wanted.search}) for part in parts]
        found = found.filter(matches[0] | matches[1] | matches[2])
    for name in ("state", "kind"):
        if given := getattr(wanted, name):
            found = found.filter(**{name: given})
    if wanted.model:
        found = found.filter(checkpoint=wanted.model)
    if wanted.tag:
        found = found.filter(tagged__contains=f",{wanted.tag},")
    if wanted.pinned is not None:
        found = found.filter(pinned=wanted.pinned)
    runs, following = page_of(found, page)
    return {"runs": [summary(run, person) for run in runs], "next": following}


@router.patch("/runs/{run_id}", response={200: RunSummary, **REFUSALS}, summary="Name, tag, pin or show a run")
def change(request: HttpRequest, run_id: str, payload: Changes) -> dict[str, Any]:
    run = find_run_to_change(request, run_id)
    given = payload.model_dump(exclude_none=True)
    for name, value in given.items():
        setattr(run, name, list(dict.fromkeys(value)) if name == "tags" else value)
    run.save(update_fields=["tagged" if name == "tags" else name for name in given])
    return summary(run, person_of(request))


@router.delete("/runs/{run_id}", response={204: None, **REFUSALS}, summary="Delete a run")
def delete(request: HttpRequest, run_id: str) -> Status[None]:
    """It is stopped first where it is under way. Shares of it stay, as they keep their own."""
    delete_run(find_run_to_change(request, run_id))
    return Status(204, None)


@router.get(
    "/runs/{run_id}/thumbnail",
    response={200: None, **REFUSALS},
    summary="A run as a small picture: the head that its page opens with",
    openapi_extra=as_bytes("image/png"),
)
def read_thumbnail(request: HttpRequest, run_id: str) -> HttpResponse:
    """PNG of 48 to 94 pixels along its longer side; a single transparent pixel before a layer is done."""
    run = find_run(request, run_id)
    response = HttpResponse(thumbnail(stream.stored_frames(run.id)), content_type="image/png")
    response["Cache-Control"] = KEEP_A_DAY if run.state in Run.ENDED else "no-store"
    return response


def summary(run: Run, person: Person | None) -> dict[str, Any]:
    return {
        "id": run.id,
        "kind": run.kind,
        "model": run.checkpoint_id,
        "state": run.state,
        "title": run.title,
        "text": run.text and run.text[:200],
        "target": run.target and run.target[:200],
        "picture": run.picture,
        "tags": run.tags,
        "pinned": run.pinned,
        "visible": run.visible,
        "mine": may_change(person, run) and (not run.featured or may_curate(person)),
        "created_at": run.created_at,
        "page": run.page,
    }
