"""`python -m tests.benchmarks [NAME] [--json]`: a line per figure. Ends with 1 when a figure does not hold."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from tests.benchmarks import (
    explorer,
    fleet,
    kernels,
    library,
    road,
    sharing,
    training,
    training_live,
    transformer,
    watch,
)
from tests.benchmarks.figures import Figure

BENCHMARKS: dict[str, Callable[[], Iterator[Figure]]] = {
    "explorer": explorer.figures,
    "fleet": fleet.figures,
    "kernels": kernels.figures,
    "library": library.figures,
    "road": road.figures,
    "sharing": sharing.figures,
    "training": training.figures,
    "training_live": training_live.figures,
    "transformer": transformer.figures,
    "watch": watch.figures,
}


def _about(name: str) -> str:
    """The first line of a benchmark's file."""
    return (sys.modules[BENCHMARKS[name].__module__].__doc__ or "").splitlines()[0]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench",
        description="Measure what the project promises.",
        epilog="\n".join(f"{name:<12} {_about(name)}" for name in sorted(BENCHMARKS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", nargs="?", choices=sorted(BENCHMARKS), help="all of them where none is named")
    parser.add_argument("--json", action="store_true", help="a JSON object per line")
    chosen = parser.parse_args()
    held = True
    for name in [chosen.name] if chosen.name else sorted(BENCHMARKS):
        for figure in BENCHMARKS[name]():
            print(figure.line(chosen.json), flush=True)
            held &= figure.holds is not False
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main())
