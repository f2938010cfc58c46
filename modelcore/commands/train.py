"""`train`: carries out a task's plan, prints the curve, and saves the model; cut off, it goes on where it was."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from modelcore.analysis.alignment import score_alignment
from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.training.assignments.pairs import DrawnPairsAssignment
from modelcore.training.parallel import join
from modelcore.training.plan import ASSIGNMENTS, PlanError, TrainingPlan
from modelcore.training.presets import preset
from modelcore.training.session import LAST, Session

PRINT_EVERY = 20
# Held-out dates on which alignment is scored.
ALIGNED = 100
FIELDS = tuple(field.name for field in fields(TrainingPlan) if field.name not in ("assignment", "text"))


def add_to(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", choices=ASSIGNMENTS, metavar="TASK", help=", ".join(ASSIGNMENTS))
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint and, at the end, of the model"
    )
    command.add_argument("--text", type=Path, metavar="FILE", help="what is learned, where the task learns a text")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        type=_setting,
        metavar="FIELD=VALUE",
        help=f"change the task's preset; may be given again; fields: {', '.join(FIELDS)}",
    )
    command.add_argument(
        "--resume", action="store_true", help="go on, which is done anyway; but refuse to begin where nothing is"
    )
    command.add_argument(
        "--shard",
        action="store_true",
        help="under torchrun: share weights and optimiser out among the processes; without it, each has all of them",
    )
    command.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> None:
    text = None if arguments.text is None else read_text(arguments.text)
    plan = TrainingPlan.from_json(preset(arguments.assignment) | {"text": text} | dict(arguments.set))
    if arguments.resume and not (arguments.out / LAST).exists():
        raise FileNotFoundError(None, f"there is no {LAST} to go on from", str(arguments.out))
    group = join(sharded=arguments.shard)
    session = Session(plan, arguments.out, group)
    if group.rank:
        session.follow()
    else:
        _train(session, arguments.out)
    group.leave()


def _train(session: Session, out: Path) -> None:
    plan = session.plan
    print(f"{plan.assignment}: {session.parameters:,} parameters, {plan.steps:,} steps", flush=True)
    if session.step:
        print(f"goes on after step {session.step:,}", flush=True)
    while not session.is_done:
        _advance(session)
    session.save()
    session.export(out)
    _print_metrics(session)
    _print_heads(session)
    session.close()


def read_text(file: Path) -> str:
    """Raises: PlanError with the line that is not UTF-8."""
    raw = file.read_bytes()
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise PlanError(
            "text", f"Line {line:,} of {file.name} is not UTF-8; save the file with that encoding."
        ) from None


def _advance(session: Session) -> None:
    plan = session.plan
    done, _ = session.advance()
    if done.step % PRINT_EVERY == 0:
        print(
            f"step {done.step:>6,}  loss {done.loss:.4f}  learning rate {done.learning_rate:.2e}  "
            f"gradient {done.gradient_norm:.2f}",
            flush=True,
        )
    if not session.is_done:
        if done.step % plan.evaluate_every == 0:
            _print_metrics(session)
        if done.step % plan.checkpoint_every == 0:
            session.save()


def _print_metrics(session: Session) -> None:
    metrics = "  ".join(f"{name} {value:.4f}" for name, value in session.measure().items())
    print(f"step {session.step:>6,}  held out: {metrics}", flush=True)


def _print_heads(session: Session) -> None:
    """What every head does with the probe text, and how well the best one looks at the words that it writes."""
    _, sites = session.probe()
    for site in sites:
        print(f"{site.map.site}  {', '.join(label.name for label in site.labels)}")
    assignment, model = session.assignment, session.model
    if isinstance(assignment, DrawnPairsAssignment) and isinstance(model, EncoderDecoder):
        told = [pair for pair in assignment.held_out if pair.origins][:ALIGNED]
        encode = assignment.tokenizer.encode
        samples = [(encode(pair.source), encode(pair.target), pair.origins) for pair in told]
        model.eval()
        if samples:
            best = max(score_alignment(model, samples), key=lambda one: one.score)
            on = "of its weight is on the words that it turns into digits"
            print(f"{best.site}, head {best.head + 1}: {best.score:.2f} {on}")


def _setting(text: str) -> tuple[str, Any]:
    """ "steps=100" as a field and its value. Raises: argparse.ArgumentTypeError."""
    field, equals, value = text.partition("=")
    if not equals or field not in FIELDS:
        raise argparse.ArgumentTypeError(f"{text!r} sets no field of a plan; write steps=100")
    try:
        return field, json.loads(value)
    except ValueError:
        return field, value
