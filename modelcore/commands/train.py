"""`train`: carries out a task's plan, prints the curve, and saves the model; cut off, it goes on where it was."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from modelcore.models.encoder_decoder import EncoderDecoder
from modelcore.training.assignments.pairs import DrawnPairsAssignment
from modelcore.training.brought import Brought
from modelcore.training.date_alignment import date_alignment
from modelcore.training.parallel import join
from modelcore.training.plan import ASSIGNMENTS, PlanError, TrainingPlan
from modelcore.training.presets import preset
from modelcore.training.session import LAST, Session

PRINT_EVERY = 20
# Held-out dates on which alignment is scored.
ALIGNED = 100
FIELDS = tuple(field.name for field in fields(TrainingPlan) if field.name not in ("assignment", "text", "pictures"))


def add_to(command: argparse.ArgumentParser) -> None:
    command.add_argument("assignment", choices=ASSIGNMENTS, metavar="TASK", help=", ".join(ASSIGNMENTS))
    command.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder of the checkpoint and, at the end, of the model"
    )
    command.add_argument("--text", type=Path, metavar="FILE", help="what is learned, where the task learns a text")
    command.add_argument("--pictures", type=Path, metavar="ZIP", help="a folder for each label, which images learns")
    command.add_argument(
        "--start", type=Path, metavar="CHECKPOINT", help="fine-tune the model of this folder; its sizes are kept"
    )
    command.add_argument(
        "--set",
        action="append",
        default=[],
        type=setting,
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
    named = {name: None if path is None else str(path) for name, path in _named(arguments).items()}
    plan = TrainingPlan.from_json(preset(arguments.assignment) | {"text": text} | named | dict(arguments.set))
    if arguments.resume and not (arguments.out / LAST).exists():
        raise FileNotFoundError(None, f"there is no {LAST} to go on from", str(arguments.out))
    if arguments.start is not None and arguments.start.resolve() == arguments.out.resolve():
        raise PlanError("start", "--out must be another folder than --start, which is read again to go on.")
    group = join(sharded=arguments.shard)
    session = Session(plan, arguments.out, Brought.as_named(plan), group)
    if group.rank:
        session.follow()
    else:
        _train(session, arguments.out)
    group.leave_and_exit()


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
    _print_words(session)
    _print_heads(session)
    session.close()


def _named(arguments: argparse.Namespace) -> dict[str, Path | None]:
    return {"pictures": arguments.pictures, "start": arguments.start}


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


def _print_words(session: Session) -> None:
    """A sample, and of a translation what beam search came to."""
    written = session.sample()
    if written is not None:
        wanted = f"   (wanted: {written.wanted})" if written.wanted else ""
        print(f"sample: {written.source} → {written.text}{wanted}", flush=True)
    translated = session.translate()
    if translated:
        print(f"beam search: BLEU {translated['bleu']:.2f}  exact {translated['beam_exact']:.4f}", flush=True)


def _print_heads(session: Session) -> None:
    """What every head does with the probe text; and of dates, which look at the words that they write as digits."""
    _, sites = session.probe()
    for site in sites:
        print(f"{site.map.site}  {', '.join(label.name for label in site.labels)}")
    assignment, model = session.assignment, session.model
    if isinstance(assignment, DrawnPairsAssignment) and isinstance(model, EncoderDecoder):
        dates = [pair for pair in assignment.held_out if pair.origins][:ALIGNED]
        model.eval()
        aligned = date_alignment(model, assignment.tokenizer, dates) if dates else {}
        for part, best in aligned.items():
            print(f"{best.site}, head {best.head + 1}: {best.score:.2f} of its weight is on the {part}'s words")


def setting(text: str) -> tuple[str, Any]:
    """ "steps=100" as a field and its value. Raises: argparse.ArgumentTypeError."""
    field, equals, value = text.partition("=")
    if not equals or field not in FIELDS:
        raise argparse.ArgumentTypeError(f"{text!r} sets no field of a plan; write steps=100")
    try:
        return field, json.loads(value)
    except ValueError:
        return field, value
