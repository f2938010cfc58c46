"""The command line, `python -m modelcore`: people script without the web."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from modelcore.analysis.request import RequestError
from modelcore.checkpoints.error import CheckpointError
from modelcore.commands import attend, describe, generate, sweep, train, train_zoo
from modelcore.generation.error import GenerationError
from modelcore.training.corpora import MissingPackageError
from modelcore.training.parallel import GroupError
from modelcore.training.plan import PlanError
from modelcore.training.session import DivergedError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command. Returns the exit code: 2 and one line on stderr where the input is at fault."""
    parsed = _parser().parse_args(arguments)
    try:
        parsed.command(parsed)
    except (
        CheckpointError,
        RequestError,
        GenerationError,
        MissingPackageError,
        PlanError,
        DivergedError,
        GroupError,
    ) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.strerror or error}: {Path(str(error.filename)).name}", file=sys.stderr)
        return 2
    return 0


class _Parser(argparse.ArgumentParser):
    """argparse, but a wrong option is one line as well."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m modelcore", description="Transformers and their attention.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    described = {
        describe: ("describe", "what a checkpoint is: family, sizes, and what can be seen of each layer"),
        attend: ("attend", "write every attention map, and what the model says, of a text or a picture"),
        generate: ("generate", "go on from a prompt, or write an encoder-decoder's target"),
        train: ("train", "train a model by a plan; the same command again goes on where it was"),
        sweep: ("sweep", "train a plan in variants: the ablations of the paper's Table 3, or sizes × tokens"),
        train_zoo: ("train-zoo", "train one of the zoo's checkpoints"),
    }
    for command, (name, help_) in described.items():
        command.add_to(commands.add_parser(name, help=help_, description=help_))
    return parser
