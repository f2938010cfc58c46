"""What a checkpoint is, as one number: the digest of its configuration and weights."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from modelcore.checkpoints.reader import CONFIG_FILE

WEIGHTS = (".safetensors", ".bin", ".index.json")


def digest_of(folder: Path) -> str:
    """SHA-256 over config.json and the files of weights. Reads them all, once as long as they do not change.

    Raises: OSError where the files are gone.
    """
    files = sorted(path for path in folder.iterdir() if path.name == CONFIG_FILE or path.name.endswith(WEIGHTS))
    seen = tuple((path, path.stat().st_size, path.stat().st_mtime_ns) for path in files)
    return _digest(seen)


@lru_cache(maxsize=64)
def _digest(files: tuple[tuple[Path, int, int], ...]) -> str:
    whole = hashlib.sha256()
    for path, size, _ in files:
        whole.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            whole.update(hashlib.file_digest(file, "sha256").digest())
    return whole.hexdigest()
