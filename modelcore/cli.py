"""The command line: `python -m modelcore describe | attend | train-zoo`. People script without the web."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from modelcore.analysis.archive import archive_maps
from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import describe, open_checkpoint
from modelcore.training.corpora import MissingPackageError
from modelcore.training.loop import StepDone
from modelcore.training.matmul import choose_matmul
from modelcore.training.recipes import RECIPES

PRINT_EVERY = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 2 and one line on stderr where the input is at fault."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except (CheckpointError, RequestError, MissingPackageError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.strerror or error}: {Path(str(error.filename)).name}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m modelcore", description="Transformers and their attention.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_describe(commands.add_parser("describe", help="what a checkpoint is: family, sizes, sites"))
    _add_attend(commands.add_parser("attend", help="write all attention maps and the logits of a text"))
    _add_train_zoo(commands.add_parser("train-zoo", help="train one of the zoo's checkpoints"))
    return parser


def _add_checkpoint(command: argparse.ArgumentParser) -> None:
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder in Hugging Face's layout")


def _add_describe(command: argparse.ArgumentParser) -> None:
    _add_checkpoint(command)
    command.add_argument("--json", action="store_true", help="print the manifest as JSON")
    command.set_defaults(command=_describe)


def _describe(arguments: argparse.Namespace) -> None:
    manifest = describe(arguments.checkpoint)
    if arguments.json:
        print(json.dumps(manifest, indent=2, ensure_ascii=False))
        return
    for key, value in manifest.items():
        print(f"{key:>15}  {', '.join(value) if isinstance(value, list) else value}")


def _add_attend(command: argparse.ArgumentParser) -> None:
    _add_checkpoint(command)
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="what the model reads; an encoder-decoder's source")
    source.add_argument("--ids", type=_ids, metavar="5,6,7", help="the same as token ids, read as they are")
    target = command.add_mutually_exclusive_group()
    target.add_argument("--target", help="what an encoder-decoder's decoder reads; without it, the model writes it")
    target.add_argument("--target-ids", type=_ids, metavar="0,8,9", help="the same as token ids, read as they are")
    command.add_argument("--out", type=Path, required=True, metavar="F.npz", help="logits, and a map for each site")
    command.add_argument("--dtype", choices=["float32", "bfloat16", "float16"], default="float32")
    command.add_argument("--device", default="cpu")
    command.set_defaults(command=_attend)


def _attend(arguments: argparse.Namespace) -> None:
    checkpoint = open_checkpoint(arguments.checkpoint)
    request = TraceRequest(arguments.text, arguments.ids, arguments.target, arguments.target_ids)
    model = checkpoint.load(arguments.device, getattr(torch, arguments.dtype))
    archive_maps(arguments.out, model, checkpoint.config, request, checkpoint.tokenizer)


def _ids(text: str) -> list[int]:
    try:
        return [int(piece) for piece in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError("write token ids as whole numbers with commas: 5,6,7") from error


def _add_train_zoo(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", choices=sorted(RECIPES), metavar="NAME", help=", ".join(sorted(RECIPES)))
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    command.add_argument("--steps", type=int, help="stop earlier than the recipe does")
    command.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads to use")
    command.set_defaults(command=_train_zoo)


def _train_zoo(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    print(f"matrix products: {choose_matmul()}", flush=True)
    options = {} if arguments.steps is None else {"steps": arguments.steps}
    for event in RECIPES[arguments.name](arguments.out, **options):
        if not isinstance(event, StepDone) or event.step % PRINT_EVERY == 0:
            print(event, flush=True)
