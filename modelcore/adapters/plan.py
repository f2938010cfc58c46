"""Finds out by a rehearsal where a model attends: which modules, in which order, at which sites.

What a call is follows from what it is given: a rehearsal reads texts of lengths that tell encoder, decoder
and cross-attention apart. Nothing follows from a model's name.
"""

# Q queries, K keys

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from modelcore.adapters.interface import Call, Planned
from modelcore.adapters.place import Place, place_of
from modelcore.config import AttentionSite

# Different lengths, so that the shape of a map says what attends to what.
SOURCE_LENGTH, TARGET_LENGTH = 7, 5

NUMBER = re.compile(r"(?:^|(?<=\.))\d+(?=\.|$)")


@dataclass(frozen=True)
class Attending:
    """One call as it was rehearsed: the module's path, and the kind of site, or why there is none."""

    path: str
    place: Place | None
    reason: str = ""

    @property
    def number(self) -> int | None:
        """The layer that the path names: its first number."""
        found = NUMBER.search(self.path)
        return None if found is None else int(found[0])


def attending(calls: Sequence[Call], model: nn.Module, lengths: Sequence[int]) -> list[Attending]:
    """What each call of a rehearsal was, after it read sequences of these lengths.

    A single stack decodes if nothing in it sees a later token, else it encodes.
    """
    decodes = all(
        call.spec.causal and not call.spec.prefix
        for call in calls
        if call.q_BHQD.shape[2] == call.k_BGKD.shape[2] == lengths[0]
    )
    paths = paths_of(model)
    times = Counter(call.module for call in calls)
    seen: Counter[nn.Module] = Counter()
    found = []
    for call in calls:
        own = paths.get(call.module, [type(call.module).__name__])
        # A module that several layers share has one path for each, or is called again and again under one.
        path = own[seen[call.module]] if len(own) == times[call.module] else own[0]
        seen[call.module] += 1
        batch, _, queries, _ = call.q_BHQD.shape
        place = place_of(queries, call.k_BGKD.shape[2], lengths, decodes=decodes) if batch == 1 else None
        reason = "" if place else f"attends in {batch} × {queries} queries to {call.k_BGKD.shape[2]} keys, not to all"
        found.append(Attending(path, place, reason))
    return found


def paths_of(model: nn.Module) -> dict[nn.Module, list[str]]:
    """Every path that leads to each module."""
    paths: dict[nn.Module, list[str]] = {}
    for path, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(module, []).append(path)
    return paths


def plan(calls: Sequence[Attending]) -> list[Planned]:
    """The order of the calls, each with its site.

    A layer has the number that its path names; where two calls at one kind of site would have the same one,
    those are counted in the order of the pass.
    """
    numbers: dict[Place, list[int | None]] = {}
    for call in calls:
        if call.place is not None:
            numbers.setdefault(call.place, []).append(call.number)
    counted = {place for place, named in numbers.items() if None in named or len(set(named)) < len(named)}
    so_far: Counter[Place] = Counter()
    planned = []
    for call in calls:
        site = None
        if call.place is not None:
            layer = so_far[call.place] if call.place in counted else call.number
            assert layer is not None, "a place with an unnumbered call is counted"
            site = AttentionSite(*call.place, layer)
            so_far[call.place] += 1
        planned.append(Planned(call.path, site))
    return planned


def not_shown(calls: Sequence[Attending], planned: Sequence[Planned], model: nn.Module) -> dict[str, str]:
    """Why nothing is shown of a part of the model: "no attention map: CLASS", or to what it attends instead."""
    pairs = zip(calls, planned, strict=True)
    reasons = {call.path: call.reason for call, plan_ in pairs if plan_.site is None}
    return reasons | _without_attention(calls, model)


def _without_attention(calls: Sequence[Attending], model: nn.Module) -> dict[str, str]:
    """The layers beside those that attend: their index in the same list of modules, and what they have instead."""
    attending_at: dict[str, set[int]] = {}
    for call in calls:
        found = NUMBER.search(call.path)
        if found is not None and found.start():
            attending_at.setdefault(call.path[: found.start() - 1], set()).add(int(found[0]))
    lacking = {}
    for path, layers in attending_at.items():
        blocks = model.get_submodule(path)
        if not isinstance(blocks, nn.ModuleList):
            continue
        usual = {type(part) for layer in layers for part in blocks[layer].children()}
        for index, block in enumerate(blocks):
            if index not in layers:
                own = [part for part in block.children() if type(part) not in usual]
                lacking[f"{path}.{index}"] = f"no attention map: {type(own[0] if own else block).__name__}"
    return lacking
