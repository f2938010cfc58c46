"""`sweep`: trains one plan in many variants, one after the other, and prints what each came to beside the base."""

from __future__ import annotations

import argparse
from pathlib import Path

from modelcore.commands.train import FIELDS, read_text, setting
from modelcore.training.plan import ASSIGNMENTS, TrainingPlan
from modelcore.training.presets import preset
from modelcore.training.sweeps.course import Row, Sweep
from modelcore.training.sweeps.power_law import FEWEST, FLOPS, fit
from modelcore.training.sweeps.presets import sweep_preset
from modelcore.training.sweeps.variants import BASE, KINDS

BUDGETS = 4


def add_to(command: argparse.ArgumentParser) -> None:
    command.add_argument("kind", choices=KINDS, metavar="KIND", help="table3 or scaling")
    command.add_argument("assignment", choices=ASSIGNMENTS, metavar="TASK", help=", ".join(ASSIGNMENTS))
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the rows and of sweep.json")
    command.add_argument("--text", type=Path, metavar="FILE", help="what is learned, where the task learns a text")
    command.add_argument("--rows", metavar="NAME;NAME", help="only these rows; separated by semicolons")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
        metavar="FIELD=VALUE",
        help=f"change the base plan; may be given again; fields: {', '.join(FIELDS)}",
    )
    command.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    text = None if arguments.text is None else read_text(arguments.text)
    base = preset(arguments.assignment) | sweep_preset(arguments.kind, arguments.assignment)
    plan = TrainingPlan.from_json(base | {"text": text} | dict(arguments.set))
    only = [name.strip() for name in arguments.rows.split(";")] if arguments.rows else None
    sweep = Sweep(arguments.kind, plan, arguments.out, only)
    rows: list[Row] = []
    for row in sweep.rows():
        rows.append(row)
        print(_line(row, None), flush=True)
    print()
    base_row = next((row for row in rows if row.variant.name == BASE), None)
    for row in rows:
        print(_line(row, base_row), flush=True)
    if arguments.kind == "scaling":
        _print_law(rows)


def _line(row: Row, base: Row | None) -> str:
    told = f"{row.variant.name:<24} {row.parameters:>9,} parameters {row.seconds:>6.0f} s"
    for name, value in row.metrics.items():
        told += f"  {name} {value:.4f}"
        if base is not None and base is not row and name in base.metrics:
            told += f" ({value - base.metrics[name]:+.4f})"
    return told


def _print_law(rows: list[Row]) -> None:
    points = [(float(row.parameters), float(row.tokens), row.metrics["loss"]) for row in rows if "loss" in row.metrics]
    law = fit(points)
    if law is None:
        print(f"A power law needs {FEWEST} rows of several sizes and numbers of tokens; there are {len(points)}.")
        return
    print(
        f"L = {law.irreducible:.3f} + {law.size_factor:.3g} / N^{law.size_exponent:.3f} + "
        f"{law.tokens_factor:.3g} / D^{law.tokens_exponent:.3f}   (Hoffmann et al. 2022, 3.3, equation 2; "
        f"relative error {100 * law.error:.1f} %)"
    )
    budgets = [FLOPS * n * d for n, d, _ in points]
    for step in range(BUDGETS):
        flops = min(budgets) * (max(budgets) / min(budgets)) ** (step / (BUDGETS - 1))
        best = law.optimum(flops)
        if best is None:
            print("More parameters or more tokens alone do not help here, so no budget has a best split.")
            return
        print(f"{flops:.1e} FLOPs are best spent on {best[0]:,.0f} parameters and {best[1]:,.0f} tokens")
