"""Put a model that was trained here into the library."""

from __future__ import annotations

import json
import logging

from django.conf import settings

from webapp.checkpoints.register import register
from webapp.runs.models import Run
from workers.protocol import trainings

log = logging.getLogger(__name__)


def take_trained(run_id: str) -> None:
    """The run's model as a row that can be chosen; nothing where the run made none. May be repeated."""
    run = Run.objects.filter(pk=run_id, plan__isnull=False, checkpoint=None).first()
    folder = trainings.model_folder(settings.DATA, run_id)
    if run is None or not (folder / trainings.MANIFEST).exists():
        return
    card, manifest = (json.loads((folder / name).read_text()) for name in (trainings.CARD, trainings.MANIFEST))
    checkpoint, _ = register(folder, card, manifest, run.owner)
    result = folder / trainings.RESULT
    # A training of an older release wrote none.
    told = json.loads(result.read_text()) if result.exists() else None
    Run.objects.filter(pk=run_id).update(checkpoint=checkpoint, result=told)
