"""A sweep on its way through its rows, each a session in a folder of its own; cut off, it goes on where it was.

FOLDER/sweep.json   the plan, the rows, and what those that are done came to
FOLDER/ROW/         the row's model, and before it is done what it needs to go on
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.checkpoints.writer import write_json
from modelcore.training.plan import PlanError, TrainingPlan
from modelcore.training.session import LAST, DivergedError, Session
from modelcore.training.sweeps.variants import SweepKind, Variant, variants

FILE = "sweep.json"


@dataclass(frozen=True)
class Row:
    """What a variant came to. `tokens` were read in all; `seconds` those of the last sitting."""

    variant: Variant
    parameters: int
    tokens: int
    seconds: float
    metrics: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        told = {name: value for name, value in vars(self).items() if name != "variant"}
        return {"name": self.variant.name, "group": self.variant.group, "changes": self.variant.changes, **told}


class Sweep:
    """Raises: PlanError where the folder holds another sweep, or a row's plan cannot be."""

    def __init__(self, kind: SweepKind, base: TrainingPlan, folder: Path, only: list[str] | None = None) -> None:
        self.kind, self.base, self._folder = kind, base, folder
        self.variants = variants(kind, base.to_json())
        unknown = set(only or []) - {variant.name for variant in self.variants}
        if unknown:
            known = ", ".join(variant.name for variant in self.variants)
            raise PlanError("rows", f"This sweep has no row {min(unknown)!r}; choose from {known}.")
        self._chosen = [variant for variant in self.variants if not only or variant.name in only]
        self.plans = {
            variant.name: TrainingPlan.from_json(base.to_json() | variant.changes) for variant in self._chosen
        }
        stored = json.loads((folder / FILE).read_text("utf-8")) if (folder / FILE).exists() else None
        told = {"kind": kind, "plan": base.to_json()}
        if stored and {name: stored[name] for name in told} != told:
            raise PlanError("plan", "Another sweep was begun in this folder. Go on with that one, or elsewhere.")
        self._done: dict[str, dict[str, Any]] = {row["name"]: row for row in stored["rows"]} if stored else {}

    def rows(self) -> Iterator[Row]:
        """Each row once it is done, those that were done before at once. Raises: DivergedError, never for one row."""
        for variant in self._chosen:
            if variant.name not in self._done:
                self._done[variant.name] = self._carried_out(variant).to_json()
                self._save()
            told = self._done[variant.name]
            yield Row(variant, told["parameters"], told["tokens"], told["seconds"], told["metrics"])

    def _carried_out(self, variant: Variant) -> Row:
        plan, folder = self.plans[variant.name], self._folder / folder_name(variant.name)
        began, session = time.monotonic(), Session(plan, folder)
        tokens, first = 0, session.step
        try:
            while not session.is_done:
                tokens += session.advance()[1]
                if session.step % plan.checkpoint_every == 0:
                    session.save()
        except DivergedError as error:
            return Row(variant, session.parameters, tokens, time.monotonic() - began, {"diverged": error.step})
        session.export(folder)
        (folder / LAST).unlink(missing_ok=True)
        # Those of a sitting before are not known; batches are of about one size.
        read = round(tokens * plan.steps / max(1, plan.steps - first))
        return Row(variant, session.parameters, read, time.monotonic() - began, session.measure() | session.translate())

    def _save(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        rows = [self._done[variant.name] for variant in self.variants if variant.name in self._done]
        write_json(self._folder / FILE, {"kind": self.kind, "plan": self.base.to_json(), "rows": rows})


def folder_name(row: str) -> str:
    """ "width 32, 1,000 steps" as "width-32-1000-steps"."""
    return re.sub(r"[^a-z0-9]+", "-", row.lower().replace(",", "").replace("_", "-")).strip("-")
