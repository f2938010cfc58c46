"""The model library over HTTP."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from webapp.api.schemas import ModelsAnswer
from webapp.checkpoints.models import Checkpoint

router = Router(tags=["models"])


@router.get("/models", response=ModelsAnswer, summary="The models that can be chosen")
def models(request: HttpRequest) -> dict[str, Any]:
    return {"models": [_answer(checkpoint) for checkpoint in Checkpoint.objects.all()]}


def _answer(checkpoint: Checkpoint) -> dict[str, Any]:
    manifest = checkpoint.manifest
    shape = ("family", "architecture", "layers", "encoder_layers", "heads", "positions", "parameters")
    return {
        "id": checkpoint.id,
        "name": checkpoint.name,
        **{name: manifest[name] for name in shape},
        "state": checkpoint.state.value,
        "sentence": checkpoint.sentence,
        "examples": checkpoint.examples,
    }
