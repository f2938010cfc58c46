"""The model library over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from webapp.accounts.ownership import person_of, seen_by
from webapp.api.schemas import ModelsAnswer
from webapp.checkpoints.models import Checkpoint
from webapp.fleet import Fleet, fleet

router = Router(tags=["models"])


@router.get("/models", response=ModelsAnswer, summary="The models that can be chosen")
def models(request: HttpRequest) -> dict[str, Any]:
    living = fleet()
    seen = Checkpoint.objects.filter(seen_by(person_of(request), visible=False))
    answers = [describe_model(checkpoint, living) for checkpoint in seen]
    return {"workers": living.workers, "models": answers}


def describe_model(checkpoint: Checkpoint, living: Fleet | None = None) -> dict[str, Any]:
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
        "folder": checkpoint.folder,
        "examples": checkpoint.examples,
    }
