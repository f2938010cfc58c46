"""Where a training keeps what it needs to go on, and where its model lies when it is done.

trainings/RUN/last.pt   weights, optimiser and place of the last checkpoint
trained/RUN/            the model in Hugging Face's layout, with its card, its manifest and its result
"""

from __future__ import annotations

from pathlib import Path

CARD = "card.json"
MANIFEST = "manifest.json"
RESULT = "result.json"


def progress_folder(data: Path, run: str) -> Path:
    return data / "trainings" / run


def checkpoint(data: Path, run: str) -> Path:
    return progress_folder(data, run) / "last.pt"


def model_folder(data: Path, run: str) -> Path:
    return data / "trained" / run
