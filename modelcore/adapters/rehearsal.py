"""Runs a model once on something small, and finds how its attention can be shown truly.

Through our attention function where eager attention, transformers' plain implementation, then gives the same
maps and the same result; else as the maps that the model hands out itself; else not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from modelcore.adapters import config as adapted
from modelcore.adapters.config import AdaptedConfig
from modelcore.adapters.interface import NAME, Call, Planned, Rehearsal, taking_place
from modelcore.adapters.loading import first_line
from modelcore.adapters.materialised import handed_out, materialised_map
from modelcore.adapters.model import result_of
from modelcore.adapters.place import Place, place_of
from modelcore.adapters.plan import attending, not_shown, plan
from modelcore.adapters.script import Script, script_for, vocabulary_of
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import STACK_NAMES, AttentionSite, Output
from modelcore.layers.attention_map import MATERIALISED, AttentionMap

# How far our maps and result may be from eager attention's, the result in shares of its largest number: a deep
# stack lets differences of rounding grow.
MAP_TOLERANCE = 1e-3
RESULT_TOLERANCE = {torch.float64: 1e-3, torch.float32: 1e-3, torch.float16: 5e-2, torch.bfloat16: 2e-1}


@dataclass(frozen=True)
class Shown:
    """How a model is shown. `plan` is None where it hands out its maps itself.

    support    of each site: its address, heads, key heads, which keys a query sees, and how its map is had
    not_shown  why nothing is shown of some parts, by their path
    """

    config: AdaptedConfig
    plan: list[Planned] | None
    support: list[dict[str, Any]]
    not_shown: dict[str, str]


@torch.no_grad()
def rehearse(model: Any) -> Shown:
    """Finds out how a model can be shown.

    Raises: CheckpointError if it cannot be run on a text or a picture, or nothing true can be shown of it.
    """
    script = script_for(model)
    output = _run_eagerly(model, script)
    try:
        return _through_interface(model, script, output)
    except Exception as error:  # a model of which our function knows too little may break anywhere
        reason = first_line(error)
    try:
        return _as_handed_out(model, script, output)
    except ValueError as error:
        raise CheckpointError(
            f"Nothing true can be shown of this model's attention: {reason} {error} {_made_of(model)}"
        ) from error


def _made_of(model: nn.Module) -> str:
    """What the layers of the longest stack consist of, in a sentence."""
    stacks = [module for module in model.modules() if isinstance(module, nn.ModuleList) and len(module)]
    if not stacks:
        return "It has no layers."
    parts = dict.fromkeys(type(part).__name__ for block in max(stacks, key=len) for part in block.children())
    return f"Its layers are made of {', '.join(list(parts)[:6])}."


def _run_eagerly(model: Any, script: Script) -> Any:
    """What the model returns under eager attention, with its attention where it gives that.

    Raises: CheckpointError if it fails, or exchanges parts of itself while it reads, as for a text that is short:
        what it then shows of the next text would depend on this one.
    """
    failures, parts = [], list(model.modules())
    for asked in ({"output_attentions": True}, {}):
        try:
            output = model(**script.inputs, **asked)
        except Exception as error:
            failures.append(first_line(error))
            continue
        if list(map(id, model.modules())) != list(map(id, parts)):
            raise CheckpointError("This model exchanges its attention while it reads, which depends on what it read.")
        return output
    raise CheckpointError(f"transformers cannot run this model on {' and '.join(script.inputs)}: {failures[-1]}")


@contextmanager
def attending_by(model: nn.Module, implementation: str) -> Iterator[None]:
    """Switches every part of a model to an attention implementation, and back to eager afterwards."""
    switch(model, implementation)
    try:
        yield
    finally:
        switch(model, "eager")


def switch(model: nn.Module, implementation: str) -> None:
    """Sets the attention implementation of every part; each reads its own configuration in each pass."""
    for module in model.modules():
        if hasattr(getattr(module, "config", None), "_attn_implementation"):
            module.config._attn_implementation = implementation  # type: ignore[union-attr]


def _through_interface(model: Any, script: Script, eager: Any) -> Shown:
    rehearsal = Rehearsal()
    with attending_by(model, NAME), taking_place(rehearsal):
        result = result_of(model(**script.inputs))
    if not rehearsal.calls:
        raise ValueError("it does not attend through transformers' attention interface.")
    lengths = script.lengths or (rehearsal.calls[0].q_BHQD.shape[2],)
    found = attending(rehearsal.calls, model, lengths)
    planned = plan(found)
    maps = [(plan_.site, call) for plan_, call in zip(planned, rehearsal.calls, strict=True) if plan_.site]
    if not maps:
        raise ValueError(f"it {found[0].reason}.")
    require_same_result(result, result_of(eager))
    _require_same_maps(maps, eager, lengths)
    whole = max((bias.shape[1] for _, call in maps if (bias := call.spec.bias) is not None), default=0)
    shown = [call.map_at(site) for site, call in maps]
    config = _config(model, script, eager, shown, lengths[0], whole)
    way = f"kept whole, up to {config.longest:,} tokens" if whole else "exact at any length"
    lacking = {
        f"the {name}": "it does not attend through transformers' attention interface"
        for name in STACK_NAMES
        if script.architecture == "encoder-decoder" and name not in {map_.site.stack for map_ in shown}
    }
    support = [_support(map_, f"interface: {way}, can be edited") for map_ in shown]
    return Shown(config, planned, support, not_shown(found, planned, model) | lacking)


def _support(map_: AttentionMap, way: str) -> dict[str, Any]:
    """What a rehearsal tells of a site: not its window, which is longer than what was read."""
    sees = "keys before and after its own" if map_.site.kind == "self" else "every key of the encoder"
    if map_.spec.causal:
        sees = "no key after its own"
    return {
        "site": str(map_.site),
        "heads": map_.heads,
        "key_heads": map_.heads if map_.implementation == MATERIALISED else map_.k_BGKD.shape[1],
        "sees": sees,
        "support": way,
    }


def require_same_result(result: Tensor, eager: Tensor) -> None:
    """Raises: ValueError if a result is not eager attention's; numbers that are not finite say nothing."""
    finite = eager.isfinite() & result.isfinite()
    difference = (result - eager)[finite].abs().float()
    largest = eager[finite].abs().max() if finite.any() else eager.new_zeros(())
    if difference.numel() and difference.max() > RESULT_TOLERANCE[eager.dtype] * largest.float():
        raise ValueError("its result under our attention is not that of its own.")


@torch.no_grad()
def agree(model: Any) -> None:
    """Raises: CheckpointError unless a loaded model computes the same under our attention as under its own."""
    script = script_for(model)
    inputs = {name: given.to(model.device) for name, given in script.inputs.items()}
    try:
        eager = result_of(model(**inputs))
        with attending_by(model, NAME):
            require_same_result(result_of(model(**inputs)), eager)
    except (IndexError, ValueError) as error:
        raise CheckpointError(f"These weights cannot be shown truly: {first_line(error)}") from error


def _require_same_maps(maps: Sequence[tuple[AttentionSite, Call]], eager: Any, lengths: Sequence[int]) -> None:
    """Compares site by site with the maps that eager attention returned, as far as it returned any.

    What has another shape than a map is no softmax over tokens, as in a layer of linear attention.
    """
    theirs: dict[Place, list[Tensor]] = {}
    stack = maps[0][0].stack
    for site, map_BHQK in handed_out(eager, stack):
        place = place_of(map_BHQK.shape[2], map_BHQK.shape[3], lengths, decodes=stack == "decoder")
        if place == (site.stack, site.kind):
            theirs.setdefault(place, []).append(map_BHQK)
    for place, expected in theirs.items():
        ours = [call.map_at(site) for site, call in maps if (site.stack, site.kind) == place]
        if len(expected) != len(ours):
            raise ValueError(
                f"it hands out {len(expected)} maps of its {place[0]}, and our attention sees {len(ours)}."
            )
        for our_map, map_BHQK in zip(ours, expected, strict=True):
            tile_BHQK = our_map.tile()
            if tile_BHQK.shape != map_BHQK.shape or (tile_BHQK - map_BHQK).abs().max() > MAP_TOLERANCE:
                raise ValueError(f"its map at {our_map.site} under our attention is not that of its own.")


def _as_handed_out(model: Any, script: Script, output: Any) -> Shown:
    handed = handed_out(output, "encoder")
    if not handed:
        raise ValueError("It does not return its attention either.")
    lengths = script.lengths or (handed[0][1].shape[2],)
    maps = []
    for site, map_BHQK in handed:
        batch, _, queries, keys = map_BHQK.shape
        if batch != 1 or place_of(queries, keys, lengths, decodes=False) != (site.stack, site.kind):
            raise ValueError(f"At {site} it returns {list(map_BHQK.shape)}, which is no map from tokens to tokens.")
        maps.append(materialised_map(site, map_BHQK))
    if script.architecture != "encoder-decoder" and all(map_.spec.causal for map_ in maps):
        maps = [replace(map_, site=replace(map_.site, stack="decoder")) for map_ in maps]
    config = _config(model, script, output, maps, lengths[0], max(map_.heads for map_ in maps))
    way = f"{MATERIALISED}: kept whole, up to {config.longest:,} tokens, cannot be edited"
    return Shown(config, None, [_support(map_, way) for map_ in maps], {})


def _config(
    model: Any, script: Script, output: Any, maps: Sequence[AttentionMap], read: int, kept_whole: int
) -> AdaptedConfig:
    """`read`: how many tokens a picture became. `kept_whole`: how many heads of a site are kept whole, if any."""
    text = model.config.get_text_config()
    vocabulary = 0 if script.image else vocabulary_of(model)
    image, positions = script.image, adapted.size(text, "max_position_embeddings", "n_positions", "max_seq_len")
    if image is not None:
        if read < image.tokens:
            raise ValueError(f"Its {image.tokens} patches become {read} tokens, which no longer are patches.")
        image, positions = replace(image, extra_tokens=read - image.tokens), read
    architecture = script.architecture if script.architecture in ("vision", "encoder-decoder") else maps[0].site.stack
    longest = adapted.longest_text(positions, kept_whole)
    return AdaptedConfig(
        architecture=architecture,
        vocabulary=vocabulary,
        positions=longest if positions is None else positions,
        longest=longest,
        width=adapted.size(text, "hidden_size", "d_model", "n_embd", "dim") or 0,
        output=_output(output, vocabulary),
        shown_sites=tuple(map_.site for map_ in maps),
        token_types=adapted.token_types(text, signature(model.forward).parameters),
        image=image,
        **adapted.tokens(text, vocabulary),
    )


def _output(output: Any, vocabulary: int) -> Output:
    """What the numbers of a result stand for, by its shape and its name."""
    result = result_of(output)
    if getattr(output, "logits", None) is not result and getattr(output, "prediction_logits", None) is not result:
        return "hidden"
    if result.dim() == 2:
        return "classes"
    return "vocabulary" if result.shape[-1] == vocabulary else "token_classes"
