"""The command line: `python -m modelcore describe | train-zoo`. People script without the web."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import describe
from modelcore.training.corpora import MissingPackage
from modelcore.training.loop import StepDone
from modelcore.training.matmul import choose_matmul
from modelcore.training.recipes import RECIPES

PRINT_EVERY = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 2 and one line on stderr where the input is at fault."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except (CheckpointError, MissingPackage) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m modelcore", description="Transformers and their attention.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser("describe", help="what a checkpoint is: family, sizes, sites")
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder in Hugging Face's layout")
    command.add_argument("--json", action="store_true", help="print the manifest as JSON")
    command.set_defaults(command=_describe)
    command = commands.add_parser("train-zoo", help="train one of the zoo's checkpoints")
    command.add_argument("name", choices=sorted(RECIPES), metavar="NAME", help=", ".join(sorted(RECIPES)))
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    command.add_argument("--steps", type=int, help="fewer or more steps than the recipe's")
    command.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads to use")
    command.set_defaults(command=_train_zoo)
    return parser


def _describe(arguments: argparse.Namespace) -> None:
    manifest = describe(arguments.checkpoint)
    if arguments.json:
        print(json.dumps(manifest, indent=2, ensure_ascii=False))
        return
    for key, value in manifest.items():
        print(f"{key:>15}  {', '.join(value) if isinstance(value, list) else value}")


def _train_zoo(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    print(f"matrix products: {choose_matmul()}", flush=True)
    options = {} if arguments.steps is None else {"steps": arguments.steps}
    for event in RECIPES[arguments.name](arguments.out, **options):
        if not isinstance(event, StepDone) or event.step % PRINT_EVERY == 0:
            print(event, flush=True)
