"""The model library over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.text import slugify
from ninja import Router

from webapp.accounts.models import Person
from webapp.accounts.ownership import person_of
from webapp.api.asking import REFUSALS
from webapp.api.errors import ApiError, ErrorAnswer
from webapp.api.library_schemas import ModelChange, RemovalAnswer
from webapp.api.schemas import ModelAnswer, ModelsAnswer
from webapp.checkpoints.access import find_usable, listed_for, may_change
from webapp.checkpoints.models import Checkpoint, Visibility
from webapp.fleet.living import Fleet, fleet
from webapp.library.arriving import named
from webapp.library.download import length_of, tar_of
from webapp.library.removal import removal_of, remove

router = Router(tags=["models"])
FORBIDDEN = {403: ErrorAnswer}


@router.get("/models", response=ModelsAnswer, summary="The models that can be chosen")
def models(request: HttpRequest) -> dict[str, Any]:
    """Yours, and those that everybody may see. One that is shared by its link answers to its id alone."""
    living, person = fleet(), person_of(request)
    found = listed_for(person).select_related("owner")
    return {"workers": living.workers, "models": [describe_model(checkpoint, living, person) for checkpoint in found]}


@router.get("/models/{model_id}", response={200: ModelAnswer, **REFUSALS}, summary="One model")
def read(request: HttpRequest, model_id: str) -> dict[str, Any]:
    return describe_model(_find(request, model_id), fleet(), person_of(request))


@router.patch(
    "/models/{model_id}",
    response={200: ModelAnswer, **REFUSALS, **FORBIDDEN},
    summary="Rename a model, describe it, say who may use it",
)
def change(request: HttpRequest, model_id: str, payload: ModelChange) -> dict[str, Any]:
    checkpoint = _find_own(request, model_id)
    given = payload.dict(exclude_none=True)
    if "name" in given:
        given["name"] = named(given["name"])
    if given.get("visibility") not in (None, Visibility.SITE) and checkpoint.owner_id is None:
        raise ApiError(
            409, "nobodys_model", "A model that belongs to nobody is everybody's. Sign in to bring one of your own."
        )
    for field, value in given.items():
        setattr(checkpoint, field, value)
    checkpoint.save(update_fields=list(given) or None)
    return describe_model(checkpoint, fleet(), person_of(request))


@router.get("/models/{model_id}/removal", response={200: RemovalAnswer, **REFUSALS}, summary="What goes with a model")
def before_removal(request: HttpRequest, model_id: str) -> Any:
    return removal_of(_find_own(request, model_id), person_of(request))


@router.delete(
    "/models/{model_id}",
    response={200: RemovalAnswer, **REFUSALS, **FORBIDDEN},
    summary="Take a model out of the library",
)
def delete(request: HttpRequest, model_id: str) -> Any:
    """At once for everybody. Its runs stay readable, and while there are any its files are kept for them."""
    checkpoint = _find_own(request, model_id)
    told = removal_of(checkpoint, person_of(request))
    remove(checkpoint)
    return told


@router.get(
    "/models/{model_id}/download",
    response={**REFUSALS},
    summary="A model's files as one tar",
    openapi_extra={"responses": {200: {"content": {"application/x-tar": {}}}}},
)
def download(request: HttpRequest, model_id: str) -> StreamingHttpResponse:
    checkpoint = _find(request, model_id)
    if checkpoint.is_missing:
        raise _missing(checkpoint)
    name = slugify(checkpoint.name)[:60] or "model"
    response = StreamingHttpResponse(tar_of(checkpoint, name), content_type="application/x-tar")
    response["Content-Disposition"] = content_disposition_header(True, f"{name}.tar") or "attachment"
    response["Content-Length"] = str(length_of(checkpoint, name))
    response["Content-Security-Policy"] = "sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _find(request: HttpRequest, model_id: str) -> Checkpoint:
    checkpoint = find_usable(model_id, person_of(request))
    if checkpoint is None:
        raise unknown_model()
    return checkpoint


def _find_own(request: HttpRequest, model_id: str) -> Checkpoint:
    checkpoint = _find(request, model_id)
    if not may_change(checkpoint, person_of(request)):
        raise ApiError(403, "not_yours", "Only whoever brought a model may change it.", field="id")
    return checkpoint


def unknown_model(field: str = "id") -> ApiError:
    return ApiError(404, "unknown_model", "There is no model with this id. GET /api/v1/models lists them.", field=field)


def _missing(checkpoint: Checkpoint) -> ApiError:
    return ApiError(
        409,
        "model_missing",
        f"The files of {checkpoint.name} are not on this disk. What was brought is fetched back within a minute "
        "where it is stored elsewhere; else add it again.",
    )


def describe_model(checkpoint: Checkpoint, living: Fleet | None = None, person: Person | None = None) -> dict[str, Any]:
    """As ModelAnswer has it; without a fleet the model is called cold. Reads the disk."""
    manifest = checkpoint.manifest
    sizes = ("layers", "encoder_layers", "heads", "width", "vocabulary", "positions", "parameters", "size_bytes")
    shape = ("family", "architecture", "output", *sizes)
    return {
        "id": checkpoint.id,
        "name": checkpoint.name,
        **{name: manifest[name] for name in shape},
        "has_tokenizer": bool(manifest.get("has_tokenizer", False)),
        "pairs": checkpoint.takes_pairs,
        "state": "missing" if checkpoint.is_missing else living.residence(checkpoint.id) if living else "cold",
        "sentence": checkpoint.sentence,
        "folder": "" if checkpoint.is_brought else checkpoint.folder,
        "examples": checkpoint.examples,
        "dtype": manifest.get("dtype", "F32"),
        "memory_bytes": manifest.get("memory_bytes", {}).get("float32", 4 * manifest["parameters"]),
        "owner": checkpoint.owner.get_username() if checkpoint.owner else None,
        "can_change": may_change(checkpoint, person),
        "visibility": checkpoint.visibility,
        "licence": checkpoint.licence,
        "created_at": checkpoint.created_at,
        "last_used_at": checkpoint.last_used_at,
    }
