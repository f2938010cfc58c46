"""Has a process that is thrown away look through what somebody brought (`modelcore.inspection`), and holds the clock.

The process gets no secret: an empty environment, no descriptor of ours, its own session, so that all of it can be
ended at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings

TOKENIZER_S = 10.0
# The slowest disk that is waited for: so many bytes a second beside the time that every inspection has.
BYTES_PER_S = 50e6
TOLD_LIMIT_BYTES = 16 << 20
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
    "OMP_NUM_THREADS": "2",
    "OMP_WAIT_POLICY": "passive",
    "MALLOC_ARENA_MAX": "2",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}
STAGES = {
    "files": ("unsafe_archive", "Unpacking the files"),
    "headers": ("bad_safetensors", "Reading the headers of the weights"),
    "config": ("bad_config", "Reading config.json"),
    "tokenizer": ("bad_tokenizer", "Trying the tokenizer"),
    "conversion": ("bad_tensor", "Rewriting the weights"),
    "structure": ("bad_config", "Building the model that config.json describes"),
    "values": ("bad_tensor", "Reading the weights"),
}


@dataclass(frozen=True)
class Refusal:
    """Why something is no model of this site: one sentence, and what it is about."""

    code: str
    message: str
    field: str | None = None
    limit: int | None = None


@dataclass(frozen=True)
class Ready:
    """A model's folder was made, of these files; `notes` are sentences for the person who brought it."""

    manifest: dict[str, Any]
    files: list[str]
    notes: list[str]
    licence: str


class InspectionDiedError(Exception):
    """The process ended without a verdict and without a stage of the file's own to blame."""


class DiskFullError(Exception):
    """There was no room for what was unpacked or rewritten."""


def inspect(folder: Path, files: Sequence[tuple[str, Path]], limit_bytes: int) -> Ready | Refusal:
    """`files` lie in `folder`, under names of the site; the model's folder becomes `folder / "model"`.

    Raises: InspectionDiedError; DiskFullError.
    """
    size_bytes = sum(path.stat().st_size for _, path in files)
    within_s = settings.INSPECTION_S + size_bytes / BYTES_PER_S
    asked = {
        "folder": str(folder),
        "files": [{"name": name, "path": str(path)} for name, path in files],
        "limit_bytes": limit_bytes,
        "memory_bytes": settings.INSPECTION_MEMORY_BYTES,
        "tokenizer_s": TOKENIZER_S,
        "cpu_s": int(2 * within_s) + 1,
    }
    stage, verdict, ended = _run(asked, within_s)
    match (verdict or {}).get("verdict"):
        case "ready":
            told = verdict or {}
            return Ready(told["manifest"], told["files"], told["notes"], told["licence"])
        case "refused":
            told = verdict or {}
            return Refusal(told["code"], told["message"], told["field"], told["limit"])
        case "disk_full":
            raise DiskFullError
        case "too_large":
            return _blamed(stage, "needs more memory or room than it may have")
    if stage is None:
        raise InspectionDiedError(f"the inspection ended with {ended} before it began")
    if ended == "time":
        return _blamed(stage, f"took longer than {within_s:.0f} s, and was stopped")
    if ended == -signal.SIGALRM:
        return _blamed(stage, f"took longer than {TOKENIZER_S:.0f} s, and was stopped")
    if ended in (-signal.SIGKILL, -signal.SIGTERM):
        raise InspectionDiedError(f"the inspection was ended by signal {-int(ended)} while: {stage}")
    return _blamed(stage, "made the process that did it crash")


def _blamed(stage: str | None, what: str) -> Refusal:
    code, act = STAGES.get(stage or "", ("bad_checkpoint", "Looking through the files"))
    return Refusal(code, f"{act} {what}. Nothing of it is kept.")


def _run(asked: dict[str, Any], within_s: float) -> tuple[str | None, dict[str, Any] | None, int | str]:
    """The last stage that was entered, the verdict if there was one, and how the process ended."""
    with subprocess.Popen(
        [sys.executable, "-m", "modelcore.inspection"],
        cwd=settings.BASE_DIR,
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        try:
            assert child.stdin is not None and child.stdout is not None
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(json.dumps(asked).encode())
                child.stdin.close()
            lines, in_time = _read(child.stdout.fileno(), within_s)
            if not in_time:
                return *_understood(lines), "time"
            return *_understood(lines), child.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return *_understood(lines), "time"
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def _read(descriptor: int, within_s: float) -> tuple[bytes, bool]:
    """All that the process says, and whether it said so in time; what goes on without end is cut."""
    said, deadline = bytearray(), time.monotonic() + within_s
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while len(said) < TOLD_LIMIT_BYTES:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return bytes(said), False
            piece = os.read(descriptor, 65_536)
            if not piece:
                break
            said += piece
    return bytes(said), True


def _understood(said: bytes) -> tuple[str | None, dict[str, Any] | None]:
    stage, verdict = None, None
    for line in said.splitlines():
        try:
            told = json.loads(line)
        except ValueError:
            continue
        stage = told.get("stage", stage)
        verdict = told if "verdict" in told else verdict
    return stage, verdict
