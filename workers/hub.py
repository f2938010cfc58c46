"""`python -m workers.hub`: fetches a model of the hub; what is asked as JSON on stdin, how far it is on stdout.

    {"files": [{"name": …, "size_bytes": …, "sha256": …}]}    before the first byte
    {"done_bytes": 12345}                                     on the way
    {"fetched": "FOLDER"} or {"refused": CODE, "message": …}  at last

The process can write into its folder only, and look up no other host than those it was told.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelcore.inspection.confine import Limits, confine, end_with_parent
from modelcore.inspection.names import BESIDES, LICENCES, TOKENIZER, WEIGHTS

MEMORY_BYTES = 2 << 30
FILES_LIMIT = 1_000
TIMEOUT_S = 20.0
SAY_EVERY_S = 0.3
INDEX = "model.safetensors.index.json"


def main() -> None:
    end_with_parent()
    asked = json.load(sys.stdin)
    folder = Path(asked["folder"])
    os.environ |= {"HF_HOME": str(folder / "hub"), "TMPDIR": str(folder)}
    import huggingface_hub  # Reads its settings from the environment when it is imported.

    limits = Limits(memory_bytes=MEMORY_BYTES, cpu_s=24 * 3600, file_bytes=asked["limit_bytes"])
    ours = [
        path
        for path in map(Path, ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl", "/etc/nsswitch.conf", "/run"))
        if path.exists()
    ]
    confine(limits, reads=ours, writes=[folder], with_network=True)
    sys.addaudithook(only(asked["hosts"]))
    try:
        say(fetch(huggingface_hub, asked, folder / "hub" / "files"))
    except Refused as refused:
        say({"refused": refused.code, "message": str(refused)})
    sys.stdout.flush()
    os._exit(0)


class Refused(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class OtherHostError(PermissionError):
    """Somebody tried to have another host asked: a redirect, above all."""


def only(hosts: list[str]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook. Whoever connects looks its host up first, an address in digits too."""
    allowed = {host.lower() for host in hosts}

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.getaddrinfo":
            host = arguments[0].decode() if isinstance(arguments[0], bytes) else str(arguments[0])
            if host.lower() not in allowed:
                raise OtherHostError(f"{host[:80]} is not the hub")

    return hook


def fetch(hub: Any, asked: dict[str, Any], target: Path) -> dict[str, Any]:
    """Raises: Refused."""
    name, revision, token, endpoint = (asked[key] for key in ("name", "revision", "token", "endpoint"))
    shown = name if revision is None else f"{name}@{revision}"
    api = hub.HfApi(endpoint=endpoint, token=token or False)
    try:
        told = api.model_info(name, revision=revision, files_metadata=True, timeout=TIMEOUT_S)
        files = [sibling for sibling in told.siblings or () if is_wanted(sibling.rfilename)]
        _require_model(files, shown, asked["limit_bytes"])
        sizes = [
            {"name": f.rfilename, "size_bytes": f.size or 0, "sha256": f.lfs.sha256 if f.lfs else ""} for f in files
        ]
        say({"files": sizes})
        progress = _progress()
        for file in files:
            hub.hf_hub_download(
                name,
                file.rfilename,
                revision=told.sha or revision,
                local_dir=target,
                token=token or False,
                endpoint=endpoint,
                tqdm_class=progress,
            )
    except Refused:
        raise
    except hub.errors.GatedRepoError as error:
        raise Refused("gated", f"{shown} is behind a gate. Give a token of somebody who may read it.") from error
    except hub.errors.RepositoryNotFoundError as error:
        raise Refused(
            "unknown_source", f"The hub has no model {shown}, or keeps it private: then give a token."
        ) from error
    except hub.errors.RevisionNotFoundError as error:
        raise Refused("unknown_source", f"{name} has no revision {revision}.") from error
    except Exception as error:  # whatever the library, the line and the hub come up with
        if _was_of(error, OtherHostError):
            raise Refused(
                "other_host", "The hub sends its files from another host, which this site does not ask."
            ) from error
        raise Refused("hub_away", "The hub does not answer, or the line broke. Try the import again later.") from error
    return {"fetched": str(target)}


def is_wanted(name: str) -> bool:
    """Files at the top alone; of weights only safetensors."""
    if name in TOKENIZER or name in BESIDES or name == INDEX or LICENCES.fullmatch(name):
        return True
    return name.endswith(".safetensors") and WEIGHTS.fullmatch(name) is not None and not name.startswith("adapter_")


def _require_model(files: list[Any], shown: str, limit_bytes: int) -> None:
    names = {file.rfilename for file in files}
    if "config.json" not in names:
        raise Refused("no_config", f"{shown} has no config.json, so it is no model that can be read here.")
    if not any(name.endswith(".safetensors") for name in names):
        raise Refused("no_safetensors", f"{shown} has no weights as safetensors, and others are not imported.")
    size = sum(file.size or 0 for file in files)
    if size > limit_bytes or len(files) > FILES_LIMIT:
        raise Refused("model_too_large", f"{shown} has {size:,} bytes; a model may have {limit_bytes:,}.")


def _was_of(error: BaseException | None, kind: type[BaseException]) -> bool:
    while error is not None:
        if isinstance(error, kind):
            return True
        error = error.__cause__ or error.__context__
    return False


def _progress() -> type:
    from tqdm.auto import tqdm

    done = [0]
    said = [0.0]

    class Progress(tqdm):
        """Tells how many bytes of all files have come, and draws nothing."""

        def __init__(self, *args: Any, **options: Any) -> None:
            options.pop("name", None)
            super().__init__(*args, **{**options, "disable": True})

        def update(self, n: float | None = 1) -> None:
            done[0] += int(n or 0)
            if time.monotonic() - said[0] >= SAY_EVERY_S:
                said[0] = time.monotonic()
                say({"done_bytes": done[0]})

    return Progress


def say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
