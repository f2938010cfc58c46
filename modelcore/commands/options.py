"""Options that several commands share."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    command.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="folder in Hugging Face's layout")


def add_device(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--dtype", choices=["float32", "bfloat16", "float16"], default="float32", help="of the weights (float32)"
    )
    command.add_argument("--device", type=_device, default="cpu", help="where the model runs: cpu (the default), cuda")


def token_ids(text: str) -> list[int]:
    """ "5,6,7" as numbers. Raises: argparse.ArgumentTypeError with an example."""
    try:
        return [int(piece) for piece in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError("write token ids as whole numbers with commas: 5,6,7") from error


def _device(text: str) -> str:
    try:
        kind = torch.device(text).type
    except RuntimeError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no device; write cpu, cuda or cuda:1") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise argparse.ArgumentTypeError("there is no CUDA device here; leave --device out to run on the CPU")
    return text
