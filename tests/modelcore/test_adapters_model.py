"""The surface of an adapted model: taps, edits, captures, and that a pass leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelcore.adapters import interface
from modelcore.adapters.materialised import materialised_map
from modelcore.adapters.model import AdaptedModel
from modelcore.analysis.capture import open_capture, save_capture
from modelcore.checkpoints.error import CheckpointError
from modelcore.config import AttentionSite
from modelcore.layers.attention_map import MATERIALISED, AttentionMap
from modelcore.layers.edits import EdgeSet, Edit
from modelcore.models.stack import run_through
from tests.modelcore.shrunk_adapted import TARGET, TEXT, open_saved, save


def load(name: str, folder: Path) -> AdaptedModel:
    save(name, folder)
    return open_saved(folder).load()


def test_without_a_tap_no_map_is_made_and_the_result_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load("GptOss", tmp_path)
    watched = model(TEXT, tap=lambda _: None)
    monkeypatch.setattr(interface, "AttentionMap", lambda *_: pytest.fail("a map was made"))
    assert torch.equal(model(TEXT), watched)


@pytest.mark.parametrize("name", ["Cohere", "Granite", "Albert", "Pegasus", "Jamba"])
def test_stream_is_transformers_own_and_goes_through_the_models_own_head(tmp_path: Path, name: str) -> None:
    """Cohere and Granite scale their logits after the head, Albert passes one block again and again."""
    model = load(name, tmp_path)
    inputs = (TEXT, TARGET) if name == "Pegasus" else (TEXT,)
    layers: list[torch.Tensor] = []
    result = model(*inputs, stream_tap=lambda *at: layers.append(at[2]))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model._model.modules())
    with torch.inference_mode():
        outside = model._model(
            **dict(zip(("input_ids", "decoder_input_ids"), inputs, strict=False)), output_hidden_states=True
        )
    states = outside.get("decoder_hidden_states", outside.get("hidden_states"))
    assert len(layers) == len(states)
    # The last one has been through the final norm already.
    for layer, state in zip(layers[:-1], states[:-1], strict=True):
        assert torch.allclose(layer, state, atol=1e-6)
    assert torch.allclose(model.unembed(layers[-1][0]), result[0], atol=1e-5)
    if name == "Cohere":
        inner = model._model
        with torch.inference_mode():
            by_hand = inner.lm_head(inner.model.norm(layers[1][0])) * inner.logit_scale
        assert torch.allclose(model.unembed(layers[1][0]), by_hand, atol=1e-5)


def test_model_whose_maps_are_handed_out_hands_out_no_stream(tmp_path: Path) -> None:
    model = load("Falcon", tmp_path)
    with pytest.raises(CheckpointError, match="hands out no stream"):
        model(TEXT, stream_tap=lambda *_: None)


def test_head_that_reads_more_than_the_last_block_leaves_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load("Granite", tmp_path)
    monkeypatch.setattr(model, "unembed", lambda x: 2 * AdaptedModel.unembed(model, x))
    with pytest.raises(CheckpointError, match="reads more"):
        model(TEXT, stream_tap=lambda *_: None)


def test_a_pass_within_a_tap_does_not_disturb_the_pass_outside(tmp_path: Path) -> None:
    model = load("Pegasus", tmp_path)
    outer: list[AttentionMap] = []
    inner: list[AttentionMap] = []

    def tap(map_: AttentionMap) -> None:
        outer.append(map_)
        if len(outer) == 2:
            model(TEXT[:, :4], TARGET[:, :3], tap=inner.append)

    result = model(TEXT, TARGET, tap=tap)
    assert [map_.site for map_ in outer] == [map_.site for map_ in inner] == model.config.sites()
    assert torch.equal(result, model(TEXT, TARGET))


def test_a_tap_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    model = load("Granite", tmp_path)

    def fail(_: AttentionMap) -> None:
        raise RuntimeError("the reader is gone")

    with pytest.raises(RuntimeError, match="the reader is gone"):
        model(TEXT, tap=fail)
    assert interface._CURRENT.get() is None
    maps: list[AttentionMap] = []
    model(TEXT, tap=maps.append)
    assert len(maps) == 3


def test_two_models_live_beside_each_other(tmp_path: Path) -> None:
    one, two = load("Granite", tmp_path / "one"), load("DebertaV2", tmp_path / "two")
    before = one(TEXT)
    two(TEXT, tap=lambda _: None)
    assert torch.equal(one(TEXT), before)


def test_layerwise_returns_what_a_call_does(tmp_path: Path) -> None:
    model = load("Granite", tmp_path)
    maps: list[AttentionMap] = []
    layers = model.layerwise(TEXT, tap=maps.append)
    next(layers)
    assert len(maps) == 3
    assert torch.equal(run_through(layers), model(TEXT))


def test_an_edge_that_is_knocked_out_is_gone_from_the_map_and_the_rest_follows(tmp_path: Path) -> None:
    model = load("Granite", tmp_path)
    site = AttentionSite("decoder", "self", 1)
    maps: list[AttentionMap] = []
    edits = {site: Edit(edges=(EdgeSet(queries=[6], keys=[2], heads=[4], bias=-torch.inf),))}
    edited = model(TEXT, tap=maps.append, edits=edits)
    tile_HQK = maps[1].tile()[0]
    assert tile_HQK[4, 6, 2] == 0
    assert torch.allclose(tile_HQK[4, 6].sum(), torch.tensor(1.0))
    assert tile_HQK[3, 6, 2] > 0
    assert not torch.equal(edited, model(TEXT))


def test_a_gated_head_is_taken_out_of_the_result(tmp_path: Path) -> None:
    model = load("Granite", tmp_path)
    gates = {site: Edit(head_gate=torch.ones(6)) for site in model.config.sites()}
    assert torch.allclose(model(TEXT, edits=gates), model(TEXT), atol=1e-5)
    gates[model.config.sites()[0]] = Edit(head_gate=torch.tensor([1.0, 0, 1, 1, 1, 1]))
    assert not torch.allclose(model(TEXT, edits=gates), model(TEXT), atol=1e-3)


def test_maps_that_are_handed_out_whole_cannot_be_edited(tmp_path: Path) -> None:
    model = load("DebertaV2", tmp_path)
    edits = {model.config.sites()[0]: Edit(head_gate=torch.zeros(3))}
    with pytest.raises(CheckpointError, match="cannot be edited"):
        model(TEXT, edits=edits)


@pytest.mark.parametrize("name", ["DebertaV2", "GptOss", "Llama4Text"])
def test_a_capture_gives_the_maps_back(name: str, tmp_path: Path) -> None:
    maps: list[AttentionMap] = []
    load(name, tmp_path / "model")(TEXT, tap=maps.append)
    save_capture(tmp_path / "capture", maps)
    kept = open_capture(tmp_path / "capture")
    assert list(kept) == [str(map_.site) for map_ in maps]
    for map_ in maps:
        again = kept[str(map_.site)]
        assert again.implementation == map_.implementation
        assert torch.equal(again.tile(range(2, 9), range(1, 5), [1]), map_.tile(range(2, 9), range(1, 5), [1]))


def test_a_map_handed_out_whole_gives_every_reading_of_it() -> None:
    generator = torch.Generator().manual_seed(5)
    map_BHQK = (
        torch.randn(1, 3, 13, 13, generator=generator)
        .mul(4)
        .tril()
        .masked_fill(torch.ones(13, 13).triu(1).bool(), -torch.inf)
        .softmax(-1)
    )
    map_BHQK[0, 1, 5] = 0  # a head may say nothing of a token
    map_BHQK[0, 2] *= 0.3  # and less than everything of another
    map_ = materialised_map(AttentionSite("decoder", "self", 0), map_BHQK)
    assert (map_.heads, map_.queries, map_.keys, map_.implementation) == (3, 13, 13, MATERIALISED)
    assert map_.spec.causal
    assert torch.allclose(map_.tile(), map_BHQK, atol=1e-6)
    assert torch.allclose(map_.tile(range(3, 9), range(2, 6), [2]), map_BHQK[:, 2:, 3:9, 2:6], atol=1e-6)
    assert torch.allclose(map_.pool(8).maximum[0, 0, 0, 0], map_BHQK[0, 0, :8, :8].max(), atol=1e-6)
    assert map_.stats()["entropy"][0, 0].item() == pytest.approx(
        -torch.xlogy(map_BHQK, map_BHQK).sum((-1, -2))[0, 0].item() / 13, 1e-4
    )


def test_scores_that_are_no_probabilities_are_not_shown_as_a_map() -> None:
    site = AttentionSite("encoder", "self", 0)
    for wrong in (torch.full((1, 1, 4, 4), 0.5), -torch.eye(4)[None, None]):
        with pytest.raises(ValueError, match="not a map of probabilities"):
            materialised_map(site, wrong)


def test_a_text_beyond_the_positions_is_refused_with_a_sentence(tmp_path: Path) -> None:
    model = load("DebertaV2", tmp_path)
    with pytest.raises(CheckpointError, match="cannot read this input"):
        model(TEXT.repeat(1, 6) + 60)


def test_a_pass_that_leaves_its_plan_is_refused_instead_of_misplaced(tmp_path: Path) -> None:
    model = load("Granite", tmp_path)
    layers = model._model.model.layers
    layers[0], layers[1] = layers[1], layers[0]
    with pytest.raises(CheckpointError, match="out of the order"):
        model(TEXT, tap=lambda _: None)


def test_a_map_of_something_else_than_the_text_is_refused(tmp_path: Path) -> None:
    """As where a model cuts long texts into windows, which it has not done with the rehearsal's short one."""
    model = load("Granite", tmp_path)
    attend_to_all = model._model.model.forward
    model._model.model.forward = lambda input_ids, **more: attend_to_all(input_ids[:, :-1], **more)
    with pytest.raises(CheckpointError, match="not the tokens of this input"):
        model(TEXT)


def test_narrow_dtypes_are_loaded(tmp_path: Path) -> None:
    save("GptOss", tmp_path)
    model = open_saved(tmp_path).load(dtype=torch.bfloat16)
    maps: list[AttentionMap] = []
    assert model(TEXT, tap=maps.append).dtype == torch.bfloat16
    assert {map_.q_BHQD.dtype for map_ in maps} == {torch.bfloat16}
