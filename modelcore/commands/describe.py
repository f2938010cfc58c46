"""`describe`: what a checkpoint is, and what can be seen of it, layer by layer."""

from __future__ import annotations

import argparse
import json
from typing import Any

from modelcore.commands.options import add_checkpoint
from modelcore.manifest import describe


def add_to(command: argparse.ArgumentParser) -> None:
    add_checkpoint(command)
    command.add_argument("--json", action="store_true", help="print the manifest as JSON")
    command.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    manifest = describe(arguments.checkpoint)
    if arguments.json:
        print(json.dumps(manifest, indent=2, ensure_ascii=False))
        return
    support: list[dict[str, Any]] = manifest.pop("support")
    memory: dict[str, int] = manifest.pop("memory_bytes")
    for key, value in manifest.items():
        print(f"{key.replace('_', ' '):>17}  {_shown(value)}")
    for dtype, size in memory.items():
        print(f"{'memory':>17}  {_megabytes(size)} as {dtype}")
    print(f"{'support':>17}  layer by layer:")
    for site in support:
        print(f"{site['site']:>21}  {site['heads']} heads, {site['sees']}; {site['support']}")


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name}: {told}" for name, told in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.2f} GB" if size_bytes >= 1e9 else f"{size_bytes / 1e6:.1f} MB"
