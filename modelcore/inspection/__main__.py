"""`python -m modelcore.inspection`: what is asked as JSON on stdin; stages, then the verdict, as lines of JSON.

    {"stage": "headers"}
    {"verdict": "refused", "code": "bad_safetensors", "message": "…", "field": "model.safetensors", "limit": null}

The process confines itself before it opens anything, and its caller holds a clock.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

from modelcore.checkpoints.error import CheckpointError
from modelcore.inspection.confine import Limits, confine, end_with_parent
from modelcore.inspection.inspect import Asked, Brought, inspect


def main() -> None:
    end_with_parent()
    told = json.load(sys.stdin)
    folder = Path(told["folder"])
    os.environ["TMPDIR"] = str(folder)
    files = [Brought(file["name"], Path(file["path"])) for file in told["files"]]
    asked = Asked(files, folder / "model", told["limit_bytes"], told["tokenizer_s"], told["memory_bytes"])
    limits = Limits(
        memory_bytes=told["memory_bytes"], cpu_s=told["cpu_s"], file_bytes=2 * told["limit_bytes"] + (64 << 20)
    )
    walls = confine(limits, writes=[folder])
    say({"walls": walls})
    say(verdict(asked))
    sys.stdout.flush()
    # Nothing is left to do, and what a stranger's file made of the libraries' threads is of no interest.
    os._exit(0)


def verdict(asked: Asked) -> dict[str, Any]:
    try:
        found = inspect(asked, lambda stage: say({"stage": stage}))
    except CheckpointError as refused:
        return {
            "verdict": "refused",
            "code": refused.code or "bad_checkpoint",
            "message": _sentence(str(refused)),
            "field": refused.field,
            "limit": refused.limit,
        }
    except (MemoryError, RecursionError):
        return {"verdict": "too_large"}
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return {"verdict": "disk_full"}
        if error.errno == errno.EFBIG:
            return {"verdict": "too_large"}
        raise
    return {
        "verdict": "ready",
        "manifest": found.manifest,
        "notes": found.notes,
        "licence": found.licence,
        "files": sorted(path.name for path in asked.model.iterdir()),
    }


def _sentence(message: str) -> str:
    """At most 300 characters that show, and no place of this machine."""
    plain = "".join(letter if letter.isprintable() else "?" for letter in message)
    return plain if len(plain) <= 300 else plain[:297] + "..."


def say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
