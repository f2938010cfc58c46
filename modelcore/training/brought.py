"""The files that a plan names, as this machine has them: a plan itself holds no path that only one machine knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.training.plan import TrainingPlan


@dataclass(frozen=True, kw_only=True)
class Brought:
    """Checkpoint folders, and the zip of pictures; None where the plan names none."""

    start: Path | None = None
    tokenizer_from: Path | None = None
    pictures: Path | None = None

    @classmethod
    def as_named(cls, plan: TrainingPlan) -> Brought:
        """A plan from the command line names paths."""
        named = {name: getattr(plan, name) for name in ("start", "tokenizer_from", "pictures")}
        return cls(**{name: None if value is None else Path(value) for name, value in named.items()})

    def to_json(self) -> dict[str, str]:
        return {name: str(path) for name, path in vars(self).items() if path is not None}

    @classmethod
    def from_json(cls, told: dict[str, str]) -> Brought:
        return cls(**{name: Path(path) for name, path in told.items()})
