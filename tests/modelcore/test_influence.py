"""Value-weighted attention, gradient × attention, rollout and flow against transformers and networkx."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx
import pytest
import torch
import transformers
from torch import Tensor

from modelcore.analysis.influence.flow import read_flow
from modelcore.analysis.influence.gradient import Gradients, Target, read_gradients
from modelcore.analysis.influence.inputs import Inputs, inputs_of
from modelcore.analysis.influence.reading import read_influence
from modelcore.analysis.influence.rollout import layers_up_to, read_rollout
from modelcore.analysis.influence.values import Values, read_values
from modelcore.analysis.influence.weighted import moved, speaking, weighted_pool, weighted_tile
from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.config import AttentionSite, Experts
from modelcore.layers.attention_map import AttentionMap
from modelcore.layers.edits import EdgeSet, Edit
from modelcore.models.stack import run_through
from tests.modelcore.outside_influence import BERT, IDS, Outside
from tests.modelcore.shrunk import save_model
from tests.modelcore.shrunk_adapted import TEXT, open_saved, save
from tests.modelcore.small_decoders import DECODERS, STACK, build_peaked, draw_ids
from tests.running import HOUSE

# H heads, N tokens, Q queries, K keys, D head width, W model width

TOLERANCE = 1e-4
DIGITS = HOUSE / "modelcore" / "zoo" / "digits"

MODELS = ["gpt2", "llama", "bert", "marian", "vit"]
TARGETS = {"gpt2": Target(6, 31), "llama": Target(8, 3), "bert": Target(2, 50), "marian": Target(4, 11)}
TARGETS |= {"vit": Target(None, 5)}


class Ours:
    """The same checkpoint, read by Headlight."""

    def __init__(self, folder: Path, request: TraceRequest) -> None:
        self.model: Any = open_checkpoint(folder).load()
        self.inputs = inputs_of(self.model, request, None)
        found: list[AttentionMap] = []
        with torch.inference_mode():
            run_through(self.model.layerwise(*self.inputs.sequences, tap=found.append))
        self.maps = {str(map_.site): map_ for map_ in found}

    def values(self) -> dict[str, Values]:
        return read_values(self.model, self.inputs)

    def gradients(self, target: Target) -> Gradients:
        return read_gradients(self.model, self.inputs, target)


@pytest.fixture(params=MODELS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Outside, Ours]:
    outside = Outside(request.param, tmp_path)
    return outside, Ours(tmp_path, outside.request())


def whole(map_: AttentionMap) -> tuple[range, range]:
    return range(map_.queries), range(map_.keys)


def assert_close(found: Tensor, expected: Tensor) -> None:
    """Within TOLERANCE of the largest value, and of 1."""
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= TOLERANCE * max(1.0, float(expected.abs().max()))


def test_value_weighted_is_the_norm_of_what_each_weight_moves(pair):
    outside, ours = pair
    maps, _ = outside.run(TARGETS[outside.name])
    values = ours.values()
    assert values.keys() == maps.keys()
    for site, (v_HKD, output_HDW) in outside.values_and_outputs().items():
        # Every vector that is moved, one by one, as the paper has it.
        moved_HQKW = maps[site][..., None] * (v_HKD @ output_HDW)[:, None]
        for head, expected_QK in enumerate(moved_HQKW.norm(dim=-1)):
            factor = moved(values[site].norms_HK, head)
            assert_close(weighted_tile(ours.maps[site], head, factor, *whole(ours.maps[site])), expected_QK)


def test_gradient_times_attention_is_that_of_autograd_through_eager_attention(pair):
    outside, ours = pair
    target = TARGETS[outside.name]
    maps, gradients = outside.run(target)
    values, found = ours.values(), ours.gradients(target)
    assert found.target == target
    largest = 0.0
    for site, map_QK in maps.items():
        for head in range(len(map_QK)):
            factor = speaking(found.d_out[site], values[site].v_GKD, head)
            expected = map_QK[head] * gradients[site][head]
            largest = max(largest, float(expected.abs().max()))
            assert_close(weighted_tile(ours.maps[site], head, factor, *whole(ours.maps[site])), expected)
    assert largest > 0.01


def test_rectangle_and_cells_are_those_of_the_whole(pair):
    _, ours = pair
    site, map_ = next(reversed(ours.maps.items()))
    norms_HK = ours.values()[site].norms_HK
    factor = moved(norms_HK, 1)
    all_QK = weighted_tile(map_, 1, factor, *whole(map_))
    assert torch.allclose(weighted_tile(map_, 1, factor, range(1, 4), range(2, 5)), all_QK[1:4, 2:5], atol=1e-6)
    pooled = weighted_pool(map_, 1, factor, 2, *whole(map_))
    assert pooled.shape == (-(-map_.queries // 2), -(-map_.keys // 2))
    assert torch.allclose(pooled[1, 1], all_QK[2:4, 2:4].max(), atol=1e-6)
    last = all_QK[2 * (len(pooled) - 1) :, 2 * (pooled.shape[1] - 1) :]
    assert torch.allclose(pooled[-1, -1], last.max(), atol=1e-6)


def test_cell_tells_the_value_that_is_largest_in_size_with_its_sign(tmp_path):
    outside = Outside("gpt2", tmp_path)
    ours = Ours(tmp_path, outside.request())
    site, map_ = "decoder.self.1", ours.maps["decoder.self.1"]
    factor = speaking(ours.gradients(TARGETS["gpt2"]).d_out[site], ours.values()[site].v_GKD, 0)
    all_QK = weighted_tile(map_, 0, factor, *whole(map_))
    pooled = weighted_pool(map_, 0, factor, 4, *whole(map_))
    for row, col in torch.cartesian_prod(torch.arange(3), torch.arange(3)).tolist():
        cell = all_QK[4 * row : 4 * row + 4, 4 * col : 4 * col + 4].flatten()
        assert torch.allclose(pooled[row, col], cell[cell.abs().argmax()], atol=1e-6)
    assert (pooled < 0).any() and (pooled > 0).any()


def rolled_out(maps: list[Tensor]) -> Tensor:
    """Multiplied out with whole matrices, [N, N]."""
    result = torch.eye(maps[0].shape[-1])
    for map_HNN in maps:
        mixing = map_HNN.mean(0) / 2 + torch.eye(len(result)) / 2
        result = mixing / mixing.sum(-1, keepdim=True) @ result
    return result


def stacks_of(maps: dict[str, Tensor]) -> dict[str, list[Tensor]]:
    """Of each site of self-attention the maps of its stack up to its own."""
    found: dict[str, list[Tensor]] = {}
    for site in maps:
        kind, layer = site.rsplit(".", 1)
        if kind.endswith("self"):
            found[site] = [maps[f"{kind}.{below}"] for below in range(int(layer) + 1)]
    return found


def test_rollout_is_the_product_of_the_layers(pair):
    outside, ours = pair
    maps, _ = outside.run(TARGETS[outside.name])
    for site, below in stacks_of(maps).items():
        expected = rolled_out(below)
        layers = layers_up_to(ours.maps, site)
        assert_close(read_rollout(layers, range(len(expected))), expected)
        assert_close(read_rollout(layers, range(2, 4)), expected[2:4])


def test_rollout_is_the_same_in_parts(pair, monkeypatch):
    """Long maps are made some rows at a time."""
    _, ours = pair
    site = next(site for site in reversed(ours.maps) if ".self." in site)
    layers = layers_up_to(ours.maps, site)
    expected = read_rollout(layers, range(layers[0].queries))
    monkeypatch.setattr("modelcore.analysis.influence.rollout.WEIGHTS_AT_ONCE", 50)
    assert torch.allclose(read_rollout(layers, range(layers[0].queries)), expected, atol=1e-6)


def test_flow_is_the_largest_that_networkx_finds(pair):
    outside, ours = pair
    maps, _ = outside.run(TARGETS[outside.name])
    for site, below in stacks_of(maps).items():
        graph = networkx.DiGraph()
        for layer, map_HNN in enumerate(below):
            mixing = (map_HNN.mean(0) + torch.eye(map_HNN.shape[-1])).double() / 2
            for row, col in mixing.nonzero().tolist():
                graph.add_edge((layer + 1, row), (layer, col), capacity=float(mixing[row, col]))
        row = len(below[0][0]) - 2
        found = read_flow(layers_up_to(ours.maps, site), row)
        for token in range(len(found)):
            # Networkx knows no node that nothing flows to.
            known = (0, token) in graph
            expected = networkx.maximum_flow_value(graph, (len(below), row), (0, token)) if known else 0.0
            assert abs(float(found[token]) - expected) <= TOLERANCE


def test_rollout_knows_no_cross_attention(tmp_path):
    outside = Outside("marian", tmp_path)
    with pytest.raises(ValueError, match="self-attention alone"):
        layers_up_to(Ours(tmp_path, outside.request()).maps, "decoder.cross.0")


def test_output_that_is_not_named_is_the_likeliest_at_the_end(tmp_path):
    outside = Outside("gpt2", tmp_path)
    ours = Ours(tmp_path, outside.request())
    with torch.inference_mode():
        logits = outside.model(torch.tensor([IDS])).logits[0, -1]
        found = ours.gradients(Target())
    assert found.target == Target(len(IDS) - 1, int(logits.argmax()))
    assert abs(found.logit - float(logits.max())) <= TOLERANCE * float(logits.max())


@pytest.mark.parametrize(
    ("name", "target", "code"),
    [
        ("gpt2", Target(9, 3), "bad_position"),
        ("gpt2", Target(-1, 3), "bad_position"),
        ("gpt2", Target(2, 83), "bad_token"),
        ("vit", Target(0, 3), "bad_position"),
        ("vit", Target(None, 7), "bad_token"),
    ],
)
def test_output_that_is_not_there_is_refused(tmp_path, name, target, code):
    outside = Outside(name, tmp_path)
    with pytest.raises(RequestError) as refused:
        Ours(tmp_path, outside.request()).gradients(target)
    assert refused.value.code == code


def test_model_without_scores_is_refused_in_words(tmp_path):
    config = transformers.BertConfig(**BERT)
    save_model(transformers.BertModel, config, tmp_path)
    with pytest.raises(RequestError, match="scores nothing"):
        Ours(tmp_path, TraceRequest(ids=IDS)).gradients(Target())


MIXED = replace(STACK, experts=Experts(5, 2))
EVERY_WAY = DECODERS | {"experts": replace(DECODERS["rotary"], decoder=MIXED, feedforward_bias=False)}


@pytest.mark.parametrize("name", EVERY_WAY)
def test_gradient_times_attention_is_what_a_logit_gains_by_a_weight_that_grows(name):
    """However a model attends: a weight is made a little larger after the softmax, by an edit, and the logit read."""
    model = build_peaked(EVERY_WAY[name]).double()
    inputs, site, target = Inputs([draw_ids(14)], {}), AttentionSite("decoder", "self", 1), Target(12, 5)
    maps: list[AttentionMap] = []
    with torch.inference_mode():
        model(*inputs.sequences, tap=maps.append)
    found, values = read_gradients(model, inputs, target), read_values(model, inputs)[str(site)]
    factor = speaking(found.d_out[str(site)], values.v_GKD, 1)
    all_QK = weighted_tile(maps[1], 1, factor, *whole(maps[1]))

    def logit(row: int, col: int, scale: float) -> float:
        edit = Edit(edges=(EdgeSet(queries=[row], keys=[col], heads=[1], scale=scale),))
        with torch.inference_mode():
            return float(model(*inputs.sequences, edits={site: edit})[0, 12, 5])

    step = 1e-4
    for place in all_QK.abs().flatten().topk(4).indices.tolist():
        row, col = divmod(place, all_QK.shape[1])
        expected = (logit(row, col, 1 + step) - logit(row, col, 1 - step)) / (2 * step)
        assert abs(float(all_QK[row, col]) - expected) <= TOLERANCE * max(1.0, abs(expected))
    assert all_QK.abs().max() > 1e-3


def test_digits_of_the_zoo_are_rolled_out_as_transformers_attends():
    outside = transformers.ViTForImageClassification.from_pretrained(DIGITS, attn_implementation="eager").eval()
    sizes = outside.config.num_channels, *outside.config.image_size
    pixels = torch.rand(1, *sizes, generator=torch.Generator().manual_seed(1))
    ours = Ours(DIGITS, TraceRequest(pixels=pixels))
    with torch.no_grad():
        maps = [map_[0] for map_ in outside(pixels, output_attentions=True).attentions]
    assert_close(read_rollout(layers_up_to(ours.maps, f"encoder.self.{len(maps) - 1}"), range(1)), rolled_out(maps)[:1])


def test_adapted_model_is_rolled_out_and_says_why_no_more(tmp_path):
    """Its maps are known, with learned sinks in them; what its heads hand on is transformers' own."""
    outside = save("GptOss", tmp_path)
    model: Any = open_saved(tmp_path).load()
    maps: list[AttentionMap] = []
    model(TEXT, tap=maps.append)
    found = read_rollout(layers_up_to({str(map_.site): map_ for map_ in maps}, str(maps[-1].site)), range(3))
    outside.set_attn_implementation("eager")
    with torch.no_grad():
        attended = outside(TEXT, output_attentions=True).attentions
    assert_close(found, rolled_out([map_[0, ..., : TEXT.shape[1]] for map_ in attended])[:3])
    inputs = Inputs([TEXT], {})
    with pytest.raises(CheckpointError, match="run by transformers"):
        read_values(model, inputs)
    with pytest.raises(CheckpointError, match="run by transformers"):
        read_gradients(model, inputs, Target())


def test_all_readings_come_by_one_call(tmp_path):
    outside = Outside("marian", tmp_path)
    ours = Ours(tmp_path, outside.request())
    rows, cols, heads = range(1, 3), range(0, 4), [("decoder.self.1", 0), ("decoder.self.0", 1)]

    def read(reading: Any, **of: Any) -> Tensor:
        return read_influence(ours.model, outside.request(), None, heads, reading, rows, cols, **of)

    for head, (site, number) in enumerate(heads):
        layers, values = layers_up_to(ours.maps, site), ours.values()[site]
        d_out = ours.gradients(Target(2, 5)).d_out[site]
        expected = weighted_tile(ours.maps[site], number, moved(values.norms_HK, number), rows, cols)
        assert torch.allclose(read("value")[head], expected)
        expected = weighted_tile(ours.maps[site], number, speaking(d_out, values.v_GKD, number), rows, cols)
        assert torch.allclose(read("gradient", target=Target(2, 5))[head], expected, atol=1e-6)
        assert torch.allclose(read("rollout")[head], read_rollout(layers, rows)[:, 0:4])
        assert torch.allclose(read("flow")[head], torch.stack([read_flow(layers, row)[:4] for row in rows]))
