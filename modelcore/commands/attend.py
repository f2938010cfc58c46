"""`attend`: one forward pass, with every map written to a file."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from modelcore.analysis.archive import archive_maps
from modelcore.analysis.picture import read_picture, read_pixels
from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.commands.options import add_checkpoint, add_device, token_ids
from modelcore.opening import Openable, open_any


def add_to(command: argparse.ArgumentParser) -> None:
    add_checkpoint(command)
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("--text", help="what the model reads; an encoder-decoder's source")
    source.add_argument("--ids", type=token_ids, metavar="5,6,7", help="the same as token ids, read as they are")
    source.add_argument("--image", type=Path, metavar="F", help="a picture, for a vision model")
    source.add_argument(
        "--pixels",
        type=Path,
        metavar="F.npy",
        help="a picture already preprocessed: float, 1 × channels × height × width",
    )
    command.add_argument("--text-pair", metavar="TEXT", help="a second text, for an encoder that takes pairs")
    target = command.add_mutually_exclusive_group()
    target.add_argument("--target", help="what an encoder-decoder's decoder reads; without it, the model writes it")
    target.add_argument("--target-ids", type=token_ids, metavar="0,8,9", help="the same as token ids, read as they are")
    command.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="F.npz",
        help="logits (or hidden states), and a float32 map [heads, queries, keys] for each site, as decoder.self.0",
    )
    add_device(command)
    command.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    checkpoint = open_any(arguments.checkpoint)
    request = TraceRequest(
        arguments.text,
        arguments.ids,
        arguments.target,
        arguments.target_ids,
        _pixels(arguments, checkpoint),
        arguments.text_pair,
    )
    model = checkpoint.load(arguments.device, getattr(torch, arguments.dtype))
    archive_maps(arguments.out, model, request, checkpoint.tokenizer)


def _pixels(arguments: argparse.Namespace, checkpoint: Openable) -> torch.Tensor | None:
    if arguments.pixels is not None:
        return read_pixels(arguments.pixels)
    if arguments.image is None:
        return None
    if checkpoint.config.image is None:
        raise RequestError("no_image", "This model reads text, not pictures; give --text or --ids.")
    return read_picture(arguments.image, checkpoint.config.image, checkpoint.path).pixels
