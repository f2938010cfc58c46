"""What a sweep changes in a task's preset, so that its rows end in minutes and tell one another apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_suffix(".json")


def sweep_preset(kind: str, assignment: str) -> dict[str, Any]:
    """Fields of a `TrainingPlan`; none where nothing was tried."""
    presets: dict[str, dict[str, dict[str, Any]]] = json.loads(FILE.read_text(encoding="utf-8"))
    return presets[kind].get(assignment, {})
