"""The maps of a run on disk: q, k and log-sum-exp of every site, mapped into memory when read again.

    FOLDER/capture.json          per site: implementation, turned, and the fields of its AttentionSpec
    FOLDER/capture.safetensors   per site: SITE.q, SITE.k, SITE.lse, and SITE.spec.FIELD where that is a tensor

Reading a rectangle touches only the pages of its rows and columns.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from kernels.spec import AttentionSpec
from modelcore.config import AttentionSite
from modelcore.layers.attention_map import AttentionMap

SITES_FILE = "capture.json"
TENSORS_FILE = "capture.safetensors"


def save_capture(folder: Path, maps: Sequence[AttentionMap]) -> None:
    """Writes all maps; the folder appears whole or not at all, and takes the place of an older one.

    Raises: OSError, as when the disk is full; nothing is left behind then.
    """
    sites: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    for map_ in maps:
        site = str(map_.site)
        spec = {field.name: getattr(map_.spec, field.name) for field in fields(AttentionSpec)}
        in_file = {name: value for name, value in spec.items() if isinstance(value, Tensor)}
        sites[site] = {
            "implementation": map_.implementation,
            "turned": map_.turned,
            "spec": {name: value for name, value in spec.items() if name not in in_file},
        }
        tensors |= {f"{site}.q": map_.q_BHQD, f"{site}.k": map_.k_BGKD, f"{site}.lse": map_.lse_BHQ}
        tensors |= {f"{site}.spec.{name}": value for name, value in in_file.items()}
    save_tensors(folder, tensors, sites)


def save_tensors(folder: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> None:
    """Writes tensors and what is to be known of them; whole or not at all. Raises: OSError."""
    tensors = {name: _on_its_own(tensor) for name, tensor in tensors.items()}
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        save_file(tensors, temporary / TENSORS_FILE)
        (temporary / SITES_FILE).write_text(json.dumps(about), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def open_capture(folder: Path) -> dict[str, AttentionMap]:
    """The maps by site, their tensors mapped from the file and not yet read.

    Raises: FileNotFoundError if there is no such capture.
    """
    tensors, sites = open_tensors(folder)
    return {site: _map(site, stored, tensors) for site, stored in sites.items()}


def open_tensors(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `save_tensors` wrote, mapped from the file and not yet read. Raises: FileNotFoundError."""
    about = json.loads((folder / SITES_FILE).read_text(encoding="utf-8"))
    with safe_open(folder / TENSORS_FILE, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    return tensors, about


def _on_its_own(tensor: Tensor) -> Tensor:
    """A copy on the CPU in memory of its own: safetensors refuses tensors that share any.

    Heads lie interleaved as the projection left them; on disk each head's rows are together.
    """
    return tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)


def _map(site: str, stored: dict[str, Any], tensors: dict[str, Tensor]) -> AttentionMap:
    prefix = f"{site}.spec."
    in_file = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return AttentionMap(
        AttentionSite.parse(site),
        tensors[f"{site}.q"],
        tensors[f"{site}.k"],
        tensors[f"{site}.lse"],
        AttentionSpec(**(stored["spec"] | in_file)),
        stored["implementation"],
        turned=stored.get("turned"),  # captures of an earlier version do not say
    )
