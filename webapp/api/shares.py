"""Shares over HTTP: make one, list one's own, withdraw one; read the one run that a link shows."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from webapp.accounts.models import Person
from webapp.accounts.ownership import may_change, person_of
from webapp.api import comparisons, lens
from webapp.api.asking import REFUSALS, as_bytes, find_own_run
from webapp.api.checkpoints import describe_model
from webapp.api.entering import entered, gone
from webapp.api.errors import ApiError
from webapp.api.pages import Page, page_of
from webapp.api.runs import describe, next_tokens
from webapp.api.schemas import ProbabilitiesAnswer
from webapp.api.share_schemas import CopyAnswer, ShareAnswer, SharedAnswer, ShareRequest, SharesAnswer
from webapp.classes.access import is_in
from webapp.people.limits import allow, allow_storage, forget_storage
from webapp.runs import replay
from webapp.runs.models import Run
from webapp.shares import kept
from webapp.shares.access import hashed
from webapp.shares.copying import ModelGoneError, copy_of
from webapp.shares.making import LensWindow, Output, Second, Seen, fill
from webapp.shares.models import ShareLink
from workers.protocol import archive

# Of the model itself a share says nothing but what its maps are read by.
UNTOLD: dict[str, Any] = {
    **{"folder": "", "examples": [], "state": "cold"},
    **{"owner": None, "last_used_at": None, "can_change": False},
}

LENS_POSITIONS = 128
"""Of a text as long as this the lens is kept whole."""

router = Router(tags=["shares"])

FRAMES = "application/octet-stream"


@router.post("/shares", response={201: ShareAnswer, **REFUSALS}, summary="Share a view of a run by a link")
async def create(request: HttpRequest, payload: ShareRequest) -> Status[dict[str, Any]]:
    """Everything that the view draws is stored with the share: exact maps of the head in view and of as many others as
    fit, overviews of all, the weight that is taken apart, the lens where it is open, and of a comparison the second
    run. It opens when workers are away, and after the run or its model is deleted.
    """
    share, run, told, seen = await sync_to_async(_checked)(request, payload)
    try:
        await fill(share, run, told, seen)
    except BaseException:
        await share.adelete()
        kept.forget(share.folder)
        raise
    return Status(201, _own(share))


@router.get("/shares", response={200: SharesAnswer, **REFUSALS}, summary="One's own shares, the newest first")
def listed(request: HttpRequest, page: Query[Page], run: str = Query("", max_length=26)) -> dict[str, Any]:
    """Of whoever does not sign in: those that nobody owns. `run` leaves those of one run."""
    shares = ShareLink.objects.filter(owner=person_of(request), revoked_at=None)
    found, following = page_of(shares.filter(run=run) if run else shares, page)
    return {"shares": [_own(share) for share in found], "next": following}


@router.post("/shares/{slug}/revoke", response={200: ShareAnswer, **REFUSALS}, summary="Withdraw a share at once")
def revoke(request: HttpRequest, slug: str) -> dict[str, Any]:
    """The link leads nowhere from now on, open pages of it end within seconds, and what it kept is deleted."""
    share = ShareLink.objects.filter(slug=slug, revoked_at=None).first()
    if share is None or not may_change(person_of(request), share):
        raise gone()
    share.revoked_at = timezone.now()
    share.save(update_fields=["revoked_at"])
    kept.forget(share.folder)
    # As long as it has a size, webapp.shares.ending looks for what may be left of it.
    share.size_bytes = 0
    share.save(update_fields=["size_bytes"])
    forget_storage(share.owner)
    return _own(share)


@router.get("/shares/{slug}", response={200: SharedAnswer, **REFUSALS}, summary="What a share shows")
def read(request: HttpRequest, slug: str) -> dict[str, Any]:
    """A share with a password takes it as the header Share-Password."""
    share = entered(request, slug)
    told = replay.replay_of(archive.read(share.folder))
    return {
        **share.record,
        "id": share.slug,
        "tokens": told.tokens,
        "sites": told.sites,
        "workers": 0,
        "place": None,
        "socket": f"/ws/shares/{share.slug}",
        "page": share.page,
        "title": share.title,
        "note": share.note,
        "view": share.view,
        "shown_model": share.model,
        "lens": share.lens,
        "pairs": share.pairs or [],
        "second": share.second and share.second["record"],
    }


@router.get(
    "/shares/{slug}/frames",
    response={200: None, **REFUSALS},
    summary="All frames of a share, as they are stored",
    openapi_extra=as_bytes(FRAMES),
)
def read_frames(request: HttpRequest, slug: str) -> HttpResponse:
    """Each behind its length and its seq, two little-endian numbers of 32 bits. The socket has the same."""
    share = entered(request, slug)
    return HttpResponse((share.folder / "1.frames").read_bytes(), content_type=FRAMES)


@router.get(
    "/shares/{slug}/probabilities",
    response={200: ProbabilitiesAnswer, **REFUSALS},
    summary="The most likely tokens after a position of a share",
)
def read_probabilities(request: HttpRequest, slug: str, position: int = -1, top: int = 10) -> dict[str, Any]:
    share = entered(request, slug)
    return next_tokens(replay.probabilities_of(archive.read(share.folder)), position, top)


@router.post(
    "/shares/{slug}/copy", response={201: CopyAnswer, **REFUSALS}, summary="Make a run of one's own of a share"
)
def copy(request: HttpRequest, slug: str) -> Status[dict[str, Any]]:
    """It needs the model to be here still, as it can then be read and changed in every way."""
    share = entered(request, slug)
    allow(request)
    try:
        run, second = copy_of(share, person_of(request))
    except ModelGoneError:
        raise ApiError(
            409, "model_missing", "The model of this share is not here any more. The share itself still shows all."
        ) from None
    return Status(201, {"id": run.id, "socket": run.socket, "page": run.page, "second": second and second.id})


def _checked(request: HttpRequest, payload: ShareRequest) -> tuple[ShareLink, Run, replay.Replay, Seen]:
    """A share that has nothing in it yet. Raises: ApiError where there is nothing to share."""
    run = find_own_run(request, payload.run)
    if run.plan is not None:
        raise ApiError(409, "not_shared", "Trainings cannot be shared, but runs of their models can.", field="run")
    told = replay.replay(run.id)
    if told.ending is None or not told.sites:
        raise ApiError(409, "not_finished", "Wait until the run has ended; then it can be shared.", field="run")
    if payload.view and not payload.view.startswith("?"):
        raise ApiError(422, "bad_view", "view begins with ?, as the query of an address does.", field="view")
    if payload.expires_at is not None:
        if timezone.is_naive(payload.expires_at):
            raise ApiError(422, "bad_expiry", "expires_at needs a zone, such as Z.", field="expires_at")
        if payload.expires_at <= timezone.now():
            raise ApiError(422, "bad_expiry", "expires_at has passed already.", field="expires_at")
    person = person_of(request)
    allow_storage(person)
    _check_audience(payload, person)
    second = _second(request, payload)
    seen = Seen(
        is_picture=run.picture is not None,
        output=Output(payload.position, payload.token),
        lens=_lens(request, payload),
        second=second,
    )
    share = ShareLink.objects.create(
        owner=person,
        run=run,
        **_kept_of(run, told),
        second=second and _kept_of(second.run, second.told),
        # A run's id opens the run itself; within the share it has another name.
        view=re.sub(r"(?<=[?&])with=[^&]*", f"with={kept.SECOND}", payload.view),
        title=payload.title.strip(),
        note=payload.note.strip(),
        audience=payload.audience,
        school_class_id=payload.class_id,
        expires_at=payload.expires_at,
        password=hashed(payload.password),
    )
    return share, run, told, seen


def _check_audience(payload: ShareRequest, person: Person | None) -> None:
    """Raises: ApiError where it is not for whoever asks to say who may open it so."""
    if payload.audience != ShareLink.Audience.UNLISTED and person is None:
        raise ApiError(422, "bad_audience", "Sign in to share with people who sign in.", field="audience")
    if (payload.class_id is not None) != (payload.audience == ShareLink.Audience.CLASS):
        raise ApiError(422, "bad_class", "Give class_id with audience class, and with no other.", field="class_id")
    if payload.class_id is not None and not is_in(person, payload.class_id):
        raise ApiError(422, "bad_class", "You are in no class with this id.", field="class_id")


def _lens(request: HttpRequest, payload: ShareRequest) -> LensWindow | None:
    """A short text is kept whole, of a long one the window. Raises: ApiError where the run has no such lens."""
    if payload.lens is None:
        return None
    start, stop = payload.lens.positions
    _, window = lens.find_positions(request, payload.run, f"{start}:{stop}")
    try:
        _, whole = lens.find_positions(request, payload.run, "")
    except ApiError:  # More than one answer may hold.
        whole = window
    return LensWindow(window, whole if len(whole) <= LENS_POSITIONS else window, payload.lens.tuned)


def _second(request: HttpRequest, payload: ShareRequest) -> Second | None:
    """Raises: ApiError where the run that the view names cannot be compared with, or is somebody else's."""
    query = parse_qs(payload.view.lstrip("?"))
    if "with" not in query:
        return None
    run = find_own_run(request, query["with"][-1])
    alignment = query.get("pairs", [""])[-1]
    both = comparisons.find_both(request, payload.run, run.id, alignment)
    return Second(run, both.told[1], both.traces[1], both.sequences, both.sites)


def _kept_of(run: Run, told: replay.Replay) -> dict[str, Any]:
    """What the API says of a run and of its model, as a share keeps both."""
    record = {**describe(run, told), "text_ids": run.ids, "target_ids": run.target_ids, "parent": None}
    for name in ("id", "tokens", "sites", "socket", "page", "place", "workers", "branched_at"):
        record.pop(name)
    made = run.created_at.isoformat()
    model = describe_model(run.checkpoint) if run.checkpoint else None
    return {
        "record": {**record, "created_at": made, "branched_at": None, "attempt": 1},
        "model": model and {**model, **UNTOLD, "created_at": made},
    }


def _own(share: ShareLink) -> dict[str, Any]:
    return {
        "slug": share.slug,
        "page": share.page,
        "embed": f"/embed/{share.slug}",
        "run": share.run_id,
        "title": share.title,
        "note": share.note,
        "audience": share.audience,
        "class_id": share.school_class_id,
        "has_password": bool(share.password),
        "expires_at": share.expires_at,
        "revoked_at": share.revoked_at,
        "openings": share.openings,
        "opened_at": share.opened_at,
        "size_bytes": share.size_bytes,
        "created_at": share.created_at,
    }
