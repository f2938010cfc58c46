"""`generate`: goes on from a prompt, or writes an encoder-decoder's target, and prints it as it comes."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

import torch

from modelcore.analysis.request import TraceRequest, read_source
from modelcore.commands.options import add_checkpoint, add_device, token_ids
from modelcore.generation.beams import BeamNode, BeamSearch, Hypothesis, LengthPenalty, grow_beams
from modelcore.generation.error import GenerationError
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import Step, generate
from modelcore.models.readable import Readable
from modelcore.opening import open_any
from modelcore.tokenizer import Tokenizer

# Options that say how a token is drawn or the text is cut, which a beam search does not do.
NOT_WITH_BEAMS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed", "stop")


def add_to(command: argparse.ArgumentParser) -> None:
    add_checkpoint(command)
    prompt = command.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", metavar="TEXT", help="what to go on from; an encoder-decoder's source")
    prompt.add_argument("--ids", type=token_ids, metavar="5,6,7", help="the same as token ids, read as they are")
    command.add_argument("--json", action="store_true", help="print a JSON object for each step, one a line")
    command.add_argument(
        "--alternatives", type=int, default=10, metavar="N", help="with --json: how many of the likeliest tokens (10)"
    )
    _add_choices(command.add_argument_group("how a token is chosen; by default the likeliest"))
    _add_ends(command.add_argument_group("where the text ends; the model's own end token always ends it"))
    _add_beams(command.add_argument_group("beam search, in place of one token at a time"))
    add_device(command)
    command.set_defaults(command=_run)


def _add_choices(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--temperature",
        type=float,
        metavar="T",
        help="draw: 1 as it is (with --top-k and so on), lower keeps to the likely",
    )
    group.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest")
    group.add_argument("--top-p", type=float, metavar="P", help="draw among the likeliest that sum to P")
    group.add_argument("--min-p", type=float, metavar="P", help="draw among those at least P times the likeliest")
    group.add_argument(
        "--repetition-penalty", type=float, metavar="R", help="above 1: make what stands in the text less likely"
    )
    group.add_argument("--ban", type=token_ids, default=[], metavar="5,6", help="token ids that are never written")
    group.add_argument("--seed", type=int, metavar="S", help="draw the same tokens each time")


def _add_ends(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--max-tokens", type=int, default=128, metavar="N", help="after N tokens (128)")
    group.add_argument("--stop", action="append", metavar="TEXT", help="before this text; may be given again")
    group.add_argument("--stop-token", type=int, action="append", default=[], metavar="ID", help="with this token id")


def _add_beams(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--beams", type=int, metavar="B", help="follow the B likeliest texts, and print the best")
    group.add_argument(
        "--length-penalty",
        type=_length_penalty,
        metavar="L",
        help="a score is divided by ((5 + length) / 6)^L (0.6); power:L is length^L",
    )


def _length_penalty(text: str) -> LengthPenalty:
    kind, _, exponent = text.rpartition(":")
    try:
        return LengthPenalty("power" if kind == "power" else "wu", float(exponent))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no length penalty; write 0.6, or power:1") from error


def _run(arguments: argparse.Namespace) -> None:
    _refuse_mixture(arguments)
    checkpoint = open_any(arguments.checkpoint)
    config, tokenizer = checkpoint.config, checkpoint.tokenizer
    read = read_source(TraceRequest(arguments.prompt, arguments.ids), config, tokenizer).ids
    if config.architecture == "encoder-decoder":
        prompt, source = [], read
    else:
        # A tokenizer may end every text, but this one goes on.
        ended = arguments.prompt is not None and read[-1] == config.end_token
        prompt, source = read[:-1] if ended else read, None
    model = checkpoint.load(arguments.device, getattr(torch, arguments.dtype))
    if arguments.beams is None:
        _print_steps(arguments, model, prompt, source, tokenizer)
    else:
        _print_beams(arguments, model, prompt, source, tokenizer)


def _refuse_mixture(arguments: argparse.Namespace) -> None:
    if arguments.beams is None and arguments.length_penalty is not None:
        raise GenerationError("bad_sampling", "--length-penalty is for a beam search; give --beams with it.")
    for name in NOT_WITH_BEAMS:
        if arguments.beams is not None and getattr(arguments, name) is not None:
            raise GenerationError("bad_sampling", f"--{name.replace('_', '-')} does not go together with --beams.")


def _print_steps(
    arguments: argparse.Namespace,
    model: Readable,
    prompt: list[int],
    source: list[int] | None,
    tokenizer: Tokenizer | None,
) -> None:
    given = {name: getattr(arguments, name) for name in NOT_WITH_BEAMS if name != "stop"}
    sampling = Sampling(
        **{name: value for name, value in given.items() if value is not None},
        banned_tokens=tuple(arguments.ban),
        max_tokens=arguments.max_tokens,
        stop_tokens=tuple(arguments.stop_token),
        stop_strings=tuple(arguments.stop or ()),
    )
    alternatives = arguments.alternatives if arguments.json else 0
    steps = generate(model, prompt, sampling, source=source, tokenizer=tokenizer, alternatives=alternatives)
    for step in steps:
        if arguments.json:
            print(json.dumps(_step_object(step, tokenizer), ensure_ascii=False), flush=True)
        else:
            print(f"{step.id} " if tokenizer is None else step.written, end="", flush=True)
    if not arguments.json:
        print()


def _step_object(step: Step, tokenizer: Tokenizer | None) -> dict[str, Any]:
    return {
        "place": step.place,
        "id": step.id,
        "text": step.text,
        "written": step.written,
        "probability": step.probability,
        "sampled_probability": step.sampled_probability,
        "alternatives": [
            {"id": id_, "text": _piece(id_, tokenizer), "probability": probability}
            for id_, probability in step.alternatives
        ],
        "finished": step.finished,
    }


def _print_beams(
    arguments: argparse.Namespace,
    model: Readable,
    prompt: list[int],
    source: list[int] | None,
    tokenizer: Tokenizer | None,
) -> None:
    search = BeamSearch(
        arguments.beams,
        arguments.length_penalty or LengthPenalty(),
        arguments.max_tokens,
        tuple(arguments.stop_token),
        tuple(arguments.ban),
    )
    steps = grow_beams(model, prompt, search, source=source)
    while True:
        try:
            kept = next(steps)
        except StopIteration as end:
            hypotheses: list[Hypothesis] = end.value
            break
        if arguments.json:
            print(
                json.dumps({"kept": [_node_object(node, tokenizer) for node in kept]}, ensure_ascii=False), flush=True
            )
    if arguments.json:
        found = [
            {"ids": best.ids, "text": _text(best.ids, tokenizer), "score": best.score, "node": best.node}
            for best in hypotheses
        ]
        print(json.dumps({"hypotheses": found}, ensure_ascii=False))
    else:
        print(_text(hypotheses[0].ids, tokenizer))


def _node_object(node: BeamNode, tokenizer: Tokenizer | None) -> dict[str, Any]:
    return {
        "number": node.number,
        "parent": node.parent,
        "place": node.place,
        "id": node.id,
        "text": _piece(node.id, tokenizer),
        "log_probability": node.log_probability,
        "total": node.total,
        "ended": node.ended,
    }


def _text(ids: Iterable[int], tokenizer: Tokenizer | None) -> str:
    return " ".join(map(str, ids)) if tokenizer is None else tokenizer.decode(list(ids))


def _piece(id_: int, tokenizer: Tokenizer | None) -> str:
    return f"#{id_}" if tokenizer is None else tokenizer.readable(id_)
