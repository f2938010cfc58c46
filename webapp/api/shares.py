"""Shares over HTTP: make one, list one's own, withdraw one; read the one run that a link shows."""

from __future__ import annotations

from typing import Annotated, Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Query, Router, Status

from webapp.accounts.ownership import may_change, person_of
from webapp.api.asking import REFUSALS, find_own_run, find_shape, span
from webapp.api.checkpoints import describe_model
from webapp.api.errors import ApiError
from webapp.api.influence import Reading
from webapp.api.pages import Page, page_of
from webapp.api.rectangles import NPY, check_cell, check_rectangle, npy, wants_npy
from webapp.api.runs import describe, next_tokens
from webapp.api.schemas import FloorsAnswer, MapAnswer, ProbabilitiesAnswer, TotalsAnswer
from webapp.api.share_schemas import CopyAnswer, ShareAnswer, SharedAnswer, ShareRequest, SharesAnswer
from webapp.people.limits import allow, allow_storage, forget_storage
from webapp.runs import replay
from webapp.runs.models import Run
from webapp.shares import kept
from webapp.shares.access import WRONG_FOR_S, Closed, TooManyTriesError, enter, hashed
from webapp.shares.copying import ModelGoneError, copy_of
from webapp.shares.making import Output, fill
from webapp.shares.models import ShareLink
from workers.protocol import archive

# Of the model itself a share says nothing but what its maps are read by.
UNTOLD: dict[str, Any] = {
    **{"folder": "", "examples": [], "state": "cold"},
    **{"owner": None, "last_used_at": None, "can_change": False},
}

router = Router(tags=["shares"])

IMPLEMENTATION = "kept"
FRAMES = "application/octet-stream"


@router.post("/shares", response={201: ShareAnswer, **REFUSALS}, summary="Share a view of a run by a link")
async def create(request: HttpRequest, payload: ShareRequest) -> Status[dict[str, Any]]:
    """Everything that the view draws is stored with the share: exact maps of the head in view and of as many others as
    fit, overviews of all. It opens when workers are away, and after the run or its model is deleted.
    """
    share, run, told = await sync_to_async(_checked)(request, payload)
    try:
        await fill(share, run, told, Output(payload.position, payload.token))
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
        raise _gone()
    share.revoked_at, share.size_bytes = timezone.now(), 0
    share.save(update_fields=["revoked_at", "size_bytes"])
    kept.forget(share.folder)
    forget_storage(share.owner)
    return _own(share)


@router.get("/shares/{slug}", response={200: SharedAnswer, **REFUSALS}, summary="What a share shows")
def read(request: HttpRequest, slug: str) -> dict[str, Any]:
    """A share with a password takes it as the header Share-Password."""
    share = _entered(request, slug)
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
    }


@router.get(
    "/shares/{slug}/frames",
    response={200: None, **REFUSALS},
    summary="All frames of a share, as they are stored",
    openapi_extra={
        "responses": {200: {"content": {FRAMES: {"schema": {"type": "string", "format": "binary"}}}}},
    },
)
def read_frames(request: HttpRequest, slug: str) -> HttpResponse:
    """Each behind its length and its seq, two little-endian numbers of 32 bits. The socket has the same."""
    share = _entered(request, slug)
    return HttpResponse((share.folder / "1.frames").read_bytes(), content_type=FRAMES)


@router.get(
    "/shares/{slug}/maps/{site}/{int:head}",
    response={200: MapAnswer, **REFUSALS},
    summary="A rectangle of a map that was kept with a share",
    openapi_extra={"responses": {200: {"content": {NPY: {"schema": {"type": "string", "format": "binary"}}}}}},
)
def read_map(
    request: HttpRequest,
    slug: str,
    site: str,
    head: int,
    rows: str = Query("", description="a:b, from row a up to but not including row b; all where left out"),
    cols: str = Query("", description="a:b, the same for columns"),
    cell: int = Query(1, description="more than 1: the largest weight of every cell x cell tokens"),
    reading: Annotated[Reading, Query()] = "attention",
    position: int | None = None,
    token: int | None = None,
) -> HttpResponse:
    """As of a run, of those heads whose maps were kept."""
    share = _entered(request, slug)
    shape = find_shape(replay.replay_of(archive.read(share.folder)), site, head)
    check_cell(cell)
    row_range, col_range = span("rows", rows, shape["queries"], cell), span("cols", cols, shape["keys"], cell)
    check_rectangle(row_range, col_range, cell)
    named = kept.reading_name(reading, position, token)
    weights = kept.read_map(share.folder, site, head, named, row_range, col_range, cell)
    if weights is None:
        raise _not_kept()
    if wants_npy(request):
        return npy(weights)
    answer = MapAnswer(
        site=site,
        head=head,
        rows=(row_range.start, row_range.stop),
        cols=(col_range.start, col_range.stop),
        cell=cell,
        rule="exact" if cell == 1 else "max",
        implementation=IMPLEMENTATION,
        weights=weights.tolist(),
        reading=reading,
        position=position,
        token=token,
        logit=None,
    )
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


@router.get(
    "/shares/{slug}/maps/{site}/{int:head}/totals",
    response={200: TotalsAnswer, **REFUSALS},
    summary="A map that was kept with a share, summed up",
)
def read_totals(request: HttpRequest, slug: str, site: str, head: int, rows: str = Query("")) -> HttpResponse:
    """As of a run."""
    row_range, weights = _whole_rows(request, slug, site, head, rows)
    received, entropy = kept.totals(weights)
    answer = TotalsAnswer(
        site=site,
        head=head,
        rows=(row_range.start, row_range.stop),
        received=received.tolist(),
        entropy=entropy.tolist(),
        implementation=IMPLEMENTATION,
    )
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


@router.get(
    "/shares/{slug}/maps/{site}/{int:head}/floors",
    response={200: FloorsAnswer, **REFUSALS},
    summary="What is strong enough in a map that was kept with a share",
)
def read_floors(
    request: HttpRequest, slug: str, site: str, head: int, mass: float = Query(..., gt=0, le=1), rows: str = Query("")
) -> HttpResponse:
    """As of a run."""
    row_range, weights = _whole_rows(request, slug, site, head, rows)
    answer = FloorsAnswer(
        site=site,
        head=head,
        rows=(row_range.start, row_range.stop),
        mass=mass,
        floors=kept.floors(weights, mass).tolist(),
        implementation=IMPLEMENTATION,
    )
    return HttpResponse(answer.model_dump_json(), content_type="application/json")


@router.get(
    "/shares/{slug}/probabilities",
    response={200: ProbabilitiesAnswer, **REFUSALS},
    summary="The most likely tokens after a position of a share",
)
def read_probabilities(request: HttpRequest, slug: str, position: int = -1, top: int = 10) -> dict[str, Any]:
    share = _entered(request, slug)
    return next_tokens(replay.probabilities_of(archive.read(share.folder)), position, top)


@router.post(
    "/shares/{slug}/copy", response={201: CopyAnswer, **REFUSALS}, summary="Make a run of one's own of a share"
)
def copy(request: HttpRequest, slug: str) -> Status[dict[str, Any]]:
    """It needs the model to be here still, as it can then be read and changed in every way."""
    share = _entered(request, slug)
    allow(request)
    try:
        run = copy_of(share, person_of(request))
    except ModelGoneError:
        raise ApiError(
            409, "model_missing", "The model of this share is not here any more. The share itself still shows all."
        ) from None
    return Status(201, {"id": run.id, "socket": run.socket, "page": run.page})


def _checked(request: HttpRequest, payload: ShareRequest) -> tuple[ShareLink, Run, replay.Replay]:
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
    if payload.audience == ShareLink.Audience.SIGNED_IN and person is None:
        raise ApiError(422, "bad_audience", "Sign in to share with people who sign in.", field="audience")
    record = {**describe(run, told), "text_ids": run.ids, "target_ids": run.target_ids, "parent": None}
    for name in ("id", "tokens", "sites", "socket", "page", "place", "workers", "branched_at"):
        record.pop(name)
    record["created_at"] = run.created_at.isoformat()
    model = describe_model(run.checkpoint) if run.checkpoint else None
    share = ShareLink.objects.create(
        owner=person,
        run=run,
        record={**record, "branched_at": None, "attempt": 1},
        model=model and {**model, **UNTOLD, "created_at": run.created_at.isoformat()},
        view=payload.view,
        title=payload.title.strip(),
        note=payload.note.strip(),
        audience=payload.audience,
        expires_at=payload.expires_at,
        password=hashed(payload.password),
    )
    return share, run, told


def _entered(request: HttpRequest, slug: str) -> ShareLink:
    """Raises: ApiError, one and the same for what is unknown, withdrawn and over."""
    try:
        found = enter(slug, person_of(request), request.session, request.headers.get("Share-Password"))
    except TooManyTriesError:
        raise ApiError(
            429, "too_many_tries", "The password was wrong too often. Wait some minutes.", retry_after_s=WRONG_FOR_S
        ) from None
    match found:
        case Closed.GONE:
            raise _gone()
        case Closed.SIGN_IN:
            raise ApiError(401, "sign_in_needed", "This share is for people who sign in.")
        case Closed.PASSWORD:
            raise ApiError(401, "password_needed", "This share asks for a password: send it as Share-Password.")
        case share:
            return share


def _whole_rows(request: HttpRequest, slug: str, site: str, head: int, rows: str) -> tuple[range, kept.Matrix]:
    share = _entered(request, slug)
    shape = find_shape(replay.replay_of(archive.read(share.folder)), site, head)
    row_range = span("rows", rows, shape["queries"])
    weights = kept.read_map(share.folder, site, head, "attention", row_range, range(shape["keys"]), 1)
    if weights is None:
        raise _not_kept()
    return row_range, weights


def _not_kept() -> ApiError:
    return ApiError(
        409,
        "not_in_share",
        "This share keeps this head as an overview only. Open a copy to read it exactly.",
        field="head",
    )


def _gone() -> ApiError:
    return ApiError(
        404, "unknown_share", "This link leads nowhere. It may have expired, been withdrawn, or been cut short."
    )


def _own(share: ShareLink) -> dict[str, Any]:
    return {
        "slug": share.slug,
        "page": share.page,
        "embed": f"/embed/{share.slug}",
        "run": share.run_id,
        "title": share.title,
        "note": share.note,
        "audience": share.audience,
        "has_password": bool(share.password),
        "expires_at": share.expires_at,
        "revoked_at": share.revoked_at,
        "openings": share.openings,
        "opened_at": share.opened_at,
        "size_bytes": share.size_bytes,
        "created_at": share.created_at,
    }
