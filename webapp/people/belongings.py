"""All that belongs to somebody: to take along as a zip, to delete one by one, or with the account."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from typing import Any

from django.conf import settings
from django.core import serializers

from webapp.accounts.models import ApiToken, Person
from webapp.library.arriving import give_up
from webapp.library.models import Arrival
from webapp.library.removal import collect, remove
from webapp.people.limits import forget_storage
from webapp.runs.cancel import cancel
from webapp.runs.models import Run, Sweep
from webapp.shares import kept
from webapp.shares.models import ShareLink
from workers.protocol import archive, trainings

SECRETS = {
    "accounts.person": ["password"],
    "accounts.apitoken": ["digest"],
    "classes.schoolclass": ["link"],
    "shares.sharelink": ["password"],
}


def delete_run(run: Run) -> None:
    """The row, its frames, and what workers kept of it. Shares of it stay: they keep their own. Stops it first."""
    if run.state not in Run.ENDED:
        cancel(run)
    owner = run.owner
    run_id = run.id
    run.delete()
    shutil.rmtree(archive.folder(settings.DATA, run_id), ignore_errors=True)
    shutil.rmtree(trainings.progress_folder(settings.DATA, run_id), ignore_errors=True)
    for folder in (settings.DATA / "captures").glob(f"{run_id}*"):
        shutil.rmtree(folder, ignore_errors=True)
    forget_storage(owner)


def delete_person(person: Person) -> None:
    """The account and everything in it: runs, shares, tokens, sweeps, models that were trained or uploaded here, the
    classes that she teaches, and her places in others.
    """
    for share in ShareLink.objects.filter(owner=person):
        kept.forget(share.folder)
        share.delete()
    for run in Run.objects.filter(owner=person):
        delete_run(run)
    Sweep.objects.filter(owner=person).delete()
    for arrival in Arrival.objects.filter(owner=person):
        give_up(arrival)
    for checkpoint in person.checkpoints.all():
        # Runs of other people with a model that was shown to them stay, without it.
        Run.objects.filter(checkpoint=checkpoint).update(checkpoint=None)
        remove(checkpoint)
    collect()
    person.delete()


def export(person: Person) -> bytes:
    """A zip: rows as JSON without secrets, each run's frames as they are stored."""
    packed = io.BytesIO()
    runs = list(Run.objects.filter(owner=person))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        rows = {
            "person": _rows([person]),
            "tokens": _rows(ApiToken.objects.filter(person=person)),
            "runs": _rows(runs),
            "sweeps": _rows(Sweep.objects.filter(owner=person)),
            "shares": _rows(ShareLink.objects.filter(owner=person)),
            "models": _rows(person.checkpoints.all()),
            "classes_taught": _rows(person.classes_taught.all()),
            "classes_joined": _joined(person),
        }
        for name, told in rows.items():
            file.writestr(f"{name}.json", json.dumps(told, indent=1, ensure_ascii=False))
        for run in runs:
            for path in sorted(archive.folder(settings.DATA, run.id).glob("*.frames")):
                file.write(path, f"runs/{run.id}/{path.name}")
    return packed.getvalue()


def _joined(person: Person) -> list[dict[str, Any]]:
    """Of other people's classes what she was told of them."""
    return [
        {
            "id": membership.school_class_id,
            "name": membership.school_class.name,
            "joined_at": membership.joined_at.isoformat(),
        }
        for membership in person.memberships.select_related("school_class")
    ]


def _rows(rows: Any) -> list[dict[str, Any]]:
    told = json.loads(serializers.serialize("json", rows))
    for row in told:
        for secret in SECRETS.get(row["model"], []):
            row["fields"].pop(secret, None)
    return [{"id": row["pk"], **row["fields"]} for row in told]
