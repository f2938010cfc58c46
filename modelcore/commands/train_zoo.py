"""`train-zoo`: makes one of the zoo's checkpoints again, by its recipe."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from modelcore.training.loop import StepDone
from modelcore.training.matmul import choose_matmul
from modelcore.training.recipes import RECIPES

PRINT_EVERY = 20


def add_to(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", choices=sorted(RECIPES), metavar="NAME", help=", ".join(sorted(RECIPES)))
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    command.add_argument("--steps", type=int, help="stop earlier than the recipe does")
    command.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads to use")
    command.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    torch.set_num_threads(arguments.threads)
    print(f"matrix products: {choose_matmul()}", flush=True)
    options = {} if arguments.steps is None else {"steps": arguments.steps}
    for event in RECIPES[arguments.name](arguments.out, **options):
        if not isinstance(event, StepDone) or event.step % PRINT_EVERY == 0:
            print(event, flush=True)
