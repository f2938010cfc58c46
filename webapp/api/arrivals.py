"""What is on its way into the library over HTTP. The bytes themselves go by tus (`webapp.library.tus`)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router, Status

from webapp.accounts.ownership import person_of
from webapp.api.asking import REFUSALS
from webapp.api.errors import ErrorAnswer
from webapp.api.library_schemas import ArrivalAnswer, ArrivalRequest, ImportRequest, LibraryAnswer
from webapp.library.arriving import Declared, declare, find_arrival, give_up
from webapp.library.importing import begin_import
from webapp.library.models import Arrival
from webapp.library.quota import quota_of
from webapp.library.tus import ROOT

router = Router(tags=["library"])

SHOWN = 100
OF_ROOM = {401: ErrorAnswer, 429: ErrorAnswer, 507: ErrorAnswer}


@router.get("/library", response={200: LibraryAnswer, **REFUSALS}, summary="What you are bringing, and the room for it")
def library(request: HttpRequest) -> dict[str, Any]:
    person = person_of(request)
    arrivals = Arrival.objects.filter(owner=person).prefetch_related("files")[:SHOWN]
    return {
        "arrivals": [_answer(arrival) for arrival in arrivals],
        "quota": quota_of(person),
        "hub": settings.HUB_ENDPOINT or None,
        "may_upload": person is not None or settings.ANONYMOUS_UPLOADS,
    }


@router.post("/arrivals", response={201: ArrivalAnswer, **REFUSALS, **OF_ROOM}, summary="Begin to bring a model")
def begin(request: HttpRequest, payload: ArrivalRequest) -> Status[dict[str, Any]]:
    """Every length first; then each file goes to its address by tus 1.0 (HEAD, PATCH), in parts of any size. With the
    last byte of the last file it is inspected. Parts that rest for a day are given up.
    """
    files = [Declared(file.name, file.size_bytes, file.sha256) for file in payload.files]
    told = payload.dict(include={"visibility", "licence", "sentence", "like"}, exclude_none=True)
    return Status(201, _answer(declare(person_of(request), payload.name, files, **told)))


@router.post("/imports", response={201: ArrivalAnswer, **REFUSALS, **OF_ROOM}, summary="Import a model from the hub")
def import_(request: HttpRequest, payload: ImportRequest) -> Status[dict[str, Any]]:
    """Weights as safetensors, config and tokenizer, and nothing else; then they are inspected as an upload is."""
    more = {} if payload.visibility is None else {"visibility": payload.visibility}
    return Status(201, _answer(begin_import(person_of(request), payload.source, payload.token, **more)))


@router.get("/arrivals/{arrival_id}", response={200: ArrivalAnswer, **REFUSALS}, summary="How far it is")
def read(request: HttpRequest, arrival_id: str) -> dict[str, Any]:
    return _answer(find_arrival(person_of(request), arrival_id))


@router.delete("/arrivals/{arrival_id}", response={204: None, **REFUSALS}, summary="Give it up, or forget a refusal")
def cancel(request: HttpRequest, arrival_id: str) -> Status[None]:
    """A model that came of it stays."""
    give_up(find_arrival(person_of(request), arrival_id))
    return Status(204, None)


def _answer(arrival: Arrival) -> dict[str, Any]:
    """Reads the disk for every file that is not whole."""
    files: list[dict[str, Any]] = []
    for file in arrival.files.all():
        file.arrival = arrival
        coming = arrival.state in (Arrival.State.UPLOADING, Arrival.State.IMPORTING)
        arrived = file.offset if coming else file.size_bytes
        files.append(
            {
                "id": file.id,
                "name": file.name,
                "size_bytes": file.size_bytes,
                "arrived_bytes": arrived,
                "address": f"{ROOT}/{file.id}",
            }
        )
    return {
        "id": arrival.id,
        "name": arrival.name,
        "state": arrival.state,
        "source": arrival.source,
        "size_bytes": sum(file["size_bytes"] for file in files),
        "arrived_bytes": max(arrival.fetched_bytes, sum(file["arrived_bytes"] for file in files)),
        "files": files,
        "error": arrival.error,
        "notes": arrival.notes,
        "model": arrival.checkpoint_id,
        "visibility": arrival.visibility,
        "created_at": arrival.created_at,
        "expires_at": arrival.expires_at,
    }
