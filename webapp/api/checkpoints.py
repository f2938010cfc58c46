"""The model library over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from webapp.api.schemas import ModelsAnswer
from webapp.checkpoints.models import Checkpoint
from webapp.fleet import Fleet, fleet

router = Router(tags=["models"])


@router.get("/models", response=ModelsAnswer, summary="The models that can be chosen")
def models(request: HttpRequest) -> dict[str, Any]:
    living = fleet()
    answers = [_answer(checkpoint, living) for checkpoint in Checkpoint.objects.all()]
    return {"workers": living.workers, "models": answers}


def _answer(checkpoint: Checkpoint, living: Fleet) -> dict[str, Any]:
    manifest = checkpoint.manifest
    sizes = ("layers", "encoder_layers", "heads", "width", "vocabulary", "positions", "parameters", "size_bytes")
    shape = ("family", "architecture", "output", *sizes)
    return {
        "id": checkpoint.id,
        "name": checkpoint.name,
        **{name: manifest[name] for name in shape},
        "has_tokenizer": bool(manifest.get("has_tokenizer", False)),
        "pairs": checkpoint.takes_pairs,
        "state": "missing" if checkpoint.is_missing else living.residence(checkpoint.id),
        "sentence": checkpoint.sentence,
        "folder": checkpoint.folder,
        "examples": checkpoint.examples,
    }
