"""Maps and results of adapted models against transformers' own eager attention."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from modelcore.adapters.materialised import handed_out
from modelcore.adapters.model import INPUT_NAMES, result_of
from modelcore.adapters.open import AdaptedCheckpoint
from modelcore.layers.attention_map import AttentionMap
from tests.modelcore.shrunk_adapted import ADAPTED, inputs_for, open_saved, save

MAP_TOLERANCE = 2e-5
RESULT_TOLERANCE = 1e-4  # of the largest number

MATERIALISED = {"GPTJ", "Falcon", "DebertaV2", "MPNet"}
SHOWN = sorted(set(ADAPTED) - {"Mamba", "BigBird"})


class Traced(NamedTuple):
    """Our checkpoint, maps and result, and what the outside implementation returned."""

    checkpoint: AdaptedCheckpoint
    maps: list[AttentionMap]
    result: Tensor
    outside: Any


Trace = Callable[[str], Traced]


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Trace:
    @cache
    def traced(name: str) -> Traced:
        folder = tmp_path_factory.mktemp(name)
        outside = save(name, folder)
        checkpoint = open_saved(folder)
        maps: list[AttentionMap] = []
        inputs = inputs_for(checkpoint)
        result = checkpoint.load()(*inputs, tap=maps.append)
        named = dict(zip(INPUT_NAMES[checkpoint.config.architecture], inputs, strict=True))
        with torch.no_grad():
            return Traced(checkpoint, maps, result, outside(**named, output_attentions=True))

    return traced


@pytest.mark.parametrize("name", SHOWN)
def test_maps_and_result_are_those_of_eager_attention(name: str, trace: Trace) -> None:
    checkpoint, maps, result, outside = trace(name)
    expected = result_of(outside)
    assert (result - expected).abs().max() <= RESULT_TOLERANCE * expected.abs().max()
    handed = handed_out(outside, maps[0].site.stack)
    assert [map_.site for map_ in maps] == checkpoint.config.sites()
    assert len(maps) == len(handed) > 0
    for map_, (_, map_BHQK) in zip(maps, handed, strict=True):
        assert map_.tile().shape == map_BHQK.shape
        assert (map_.tile() - map_BHQK).abs().max() <= MAP_TOLERANCE, map_.site


@pytest.mark.parametrize("name", SHOWN)
def test_each_site_says_how_it_is_shown(name: str, trace: Trace) -> None:
    traced = trace(name)
    support = traced.checkpoint.support()
    assert [(told["site"], told["heads"]) for told in support] == [(str(map_.site), map_.heads) for map_ in traced.maps]
    ways = {told["support"].partition(":")[0] for told in support}
    assert ways == ({"materialised"} if name in MATERIALISED else {"interface"})
    assert (traced.checkpoint.details()["not_shown"] != {}) == (name == "Jamba")


@pytest.mark.parametrize("name", ["GptOss", "Cohere2", "Albert", "Pegasus", "Dinov2", "Llama4Text"])
def test_masks_are_kept_as_rules_and_not_whole(name: str, trace: Trace) -> None:
    maps = trace(name).maps
    assert all(map_.spec.bias is None for map_ in maps)


def test_a_window_shorter_than_the_text_is_kept_as_a_window(trace: Trace) -> None:
    maps = trace("Starcoder2").maps
    assert [(map_.spec.causal, map_.spec.window) for map_ in maps] == [(True, 5)] * 3


def test_a_symmetric_window_is_kept_as_a_window(trace: Trace) -> None:
    maps = trace("ModernBert").maps
    assert [map_.spec.used for map_ in maps] == [set(), {"window"}, set()]


def test_chunks_are_kept_as_documents(trace: Trace) -> None:
    maps = trace("Llama4Text").maps
    assert {"causal", "documents"} in [map_.spec.used for map_ in maps]


def test_grouped_keys_are_kept_once_for_their_group(trace: Trace) -> None:
    maps = trace("Cohere").maps
    assert {(map_.q_BHQD.shape[1], map_.k_BGKD.shape[1]) for map_ in maps} == {(6, 2)}


def test_sinks_leave_rows_short_of_one(trace: Trace) -> None:
    maps = trace("GptOss").maps
    assert all((map_.tile().sum(-1) < 0.9999).any() for map_ in maps)


def test_scores_are_squashed_where_the_model_squashes_them(trace: Trace) -> None:
    assert {(map_.spec.softcap, map_.spec.scale) for map_ in trace("VaultGemma").maps} == {(1.5, 3**-0.5)}


def test_layers_without_attention_are_named_and_the_others_keep_their_numbers(trace: Trace) -> None:
    checkpoint = trace("Jamba").checkpoint
    assert [str(site) for site in checkpoint.config.sites()] == ["decoder.self.1", "decoder.self.3"]
    assert checkpoint.details()["not_shown"] == {
        "model.layers.0": "no attention map: JambaMambaMixer",
        "model.layers.2": "no attention map: JambaMambaMixer",
    }
