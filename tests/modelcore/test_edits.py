"""Edits of heads and edges at every kind of site, and that what is not used costs nothing."""

from __future__ import annotations

import gc
from dataclasses import replace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from modelcore.config import AttentionSite, ModelConfig, StackConfig
from modelcore.layers.cache import Cache
from modelcore.layers.context import Context
from modelcore.layers.edits import EdgeSet, Edit
from modelcore.models.build import build
from tests.modelcore import by_hand
from tests.modelcore.by_hand import assert_equal, build_drawn

STACK = StackConfig(layers=2, heads=3, feedforward_width=16)
CONFIG = ModelConfig(vocabulary=17, positions=16, width=12, encoder=STACK, decoder=STACK, start_token=0)
DECODER = replace(CONFIG, encoder=None, start_token=None)
SOURCE, TARGET = torch.tensor([[3, 1, 4, 1, 5, 9, 2]]), torch.tensor([[0, 6, 5, 3, 5]])
SITES = [AttentionSite.parse(text) for text in ("encoder.self.1", "decoder.self.0", "decoder.cross.1")]
at_each_site = pytest.mark.parametrize("site", SITES, ids=str)


def layer_at(model, site):
    block = (model.encoder if site.stack == "encoder" else model.decoder).blocks[site.layer]
    return block.cross_attention if site.kind == "cross" else block.self_attention


def edited(model, site, edit):
    """Logits, the site's map, and its map without the edit."""
    maps, plain = {}, {}
    logits = model(SOURCE, TARGET, edits={site: edit}, tap=lambda map_: maps.setdefault(map_.site, map_.tile()))
    model(SOURCE, TARGET, tap=lambda map_: plain.setdefault(map_.site, map_.tile()))
    return logits, maps[site], plain[site]


@at_each_site
def test_gated_head_is_its_slice_of_the_output_projection_scaled(site):
    """A gate of 0 takes head 1 out; the maps of its own site stay as they are."""
    model = build_drawn(CONFIG)
    logits, map_, plain = edited(model, site, Edit(head_gate=torch.tensor([1.0, 0.0, 0.5], dtype=torch.float64)))
    with torch.no_grad():
        weight = layer_at(model, site).output.weight
        weight[:, 4:8] = 0.0
        weight[:, 8:] *= 0.5
    assert_equal(logits, model(SOURCE, TARGET))
    assert torch.equal(map_, plain)


@at_each_site
def test_gates_have_gradients(site):
    model = build_drawn(CONFIG)
    gate = torch.tensor([1.0, 0.3, 0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda gate: model(SOURCE, TARGET, edits={site: Edit(gate)}), gate)


@at_each_site
def test_knocked_out_edges_have_no_weight_and_the_others_share_it(site):
    model = build_drawn(CONFIG)
    edges = EdgeSet(queries=[2, 4], keys=[0, 1], heads=[0, 2], bias=-torch.inf)
    _, map_, plain = edited(model, site, Edit(edges=(edges,)))
    kept = torch.ones_like(map_)
    for head, query, key in ((h, q, k) for h in (0, 2) for q in (2, 4) for k in (0, 1)):
        kept[0, head, query, key] = 0
    assert (map_[kept == 0] == 0).all()
    assert torch.allclose(map_, plain * kept / (plain * kept).sum(-1, keepdim=True), atol=1e-6)
    assert torch.allclose(map_.sum(-1), torch.ones(()), atol=1e-6)
    assert torch.equal(map_[:, 1], plain[:, 1])


@at_each_site
def test_bias_is_added_before_the_softmax_and_scale_multiplies_after_it(site):
    model = build_drawn(CONFIG)
    # The first set is all edges of query 1, the second all to key 0 in head 2; they meet in one edge.
    edges = (EdgeSet(queries=[1], scale=0.5), EdgeSet(keys=[0], heads=[2], bias=1.5, scale=0.25))
    _, map_, plain = edited(model, site, Edit(edges=edges))
    expected = plain.clone()
    expected[:, 2, :, 0] *= torch.e**1.5
    expected /= expected.sum(-1, keepdim=True)
    expected[:, :, 1] *= 0.5
    expected[:, 2, :, 0] *= 0.25
    assert torch.allclose(map_, expected, atol=1e-6)


def test_values_are_weighted_by_the_edited_map():
    model = build_drawn(CONFIG)
    layer = layer_at(model, SITES[0])
    x = torch.randn(1, 5, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    maps = []
    edit = Edit(edges=(EdgeSet([1], [2], bias=-torch.inf), EdgeSet(keys=[3], scale=2.0)))
    out = layer(x, Context(tap=maps.append, edits={SITES[0]: edit}))
    values = [v for _, _, v in by_hand.project(layer, x)]
    attended = torch.cat([maps[0].tile()[:, head].double() @ value for head, value in enumerate(values)], -1)
    assert_equal(out, by_hand.linear(layer.output, attended), 1e-5)


def test_edges_are_named_by_position_however_the_text_is_read():
    model = build_drawn(DECODER)
    edges = (EdgeSet([2, 3], [1], bias=-torch.inf), EdgeSet(queries=[4], scale=0.5), EdgeSet(keys=[0], bias=0.7))
    edits = {AttentionSite("decoder", "self", layer): Edit(edges=edges) for layer in range(2)}
    cache = Cache()
    single = [model(TARGET[:, at : at + 1], cache=cache, edits=edits) for at in range(5)]
    assert_equal(torch.cat(single, dim=1), model(TARGET, edits=edits))


def test_as_many_sets_as_an_integer_has_bits_and_no_more():
    model, site = build_drawn(DECODER), AttentionSite("decoder", "self", 0)
    sets = tuple(EdgeSet([query], [key], bias=0.1 * query + key) for query in range(5) for key in range(query + 1))
    idle = (EdgeSet(queries=[9], bias=3.0),) * (32 - len(sets) - 1)
    last = EdgeSet(keys=[2], bias=-torch.inf)
    together = model(TARGET, edits={site: Edit(edges=(*sets, *idle, last))})
    assert_equal(together, model(TARGET, edits={site: Edit(edges=(last, *sets))}))
    assert (together - model(TARGET, edits={site: Edit(edges=sets)})).abs().max() > 1e-3
    with pytest.raises(ValueError, match="33 sets"):
        Edit(edges=(last,) * 33)


@pytest.mark.parametrize("nothing", [{"queries": []}, {"keys": []}, {"heads": []}], ids=str)
def test_empty_choice_of_edges_changes_nothing(nothing):
    model, site = build_drawn(DECODER), AttentionSite("decoder", "self", 0)
    edit = Edit(edges=(EdgeSet(**nothing, bias=-torch.inf, scale=0.0),))
    assert_equal(model(TARGET, edits={site: edit}), model(TARGET))


class Operators(TorchDispatchMode):
    """Counts what torch is asked to do."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += 1
        return function(*args, **(kwargs or {}))


def operators(model, **instruments):
    with Operators() as counted, torch.inference_mode():
        logits = model(SOURCE, TARGET, **instruments)
    return logits, counted.count


def test_what_is_not_used_costs_not_one_operator_and_changes_not_one_bit():
    """A tap that looks at nothing is free as well; an edit costs at its own site alone."""
    model = build(CONFIG).eval()
    logits, count = operators(model)
    for instruments in (
        {"tap": None, "edits": None, "routing_tap": None},
        {"tap": lambda map_: None, "routing_tap": lambda routing: None},
        {"edits": {}},
        {"edits": {AttentionSite("decoder", "self", 7): Edit(head_gate=torch.zeros(3))}},
    ):
        again, same = operators(model, **instruments)
        assert same == count
        assert torch.equal(again, logits)
    gates = [operators(model, edits={site: Edit(head_gate=torch.ones(3)) for site in SITES[:n]})[1] for n in range(4)]
    assert gates[0] == count
    assert gates[1] - gates[0] == gates[2] - gates[1] == gates[3] - gates[2] > 0


def test_without_a_tap_nothing_of_a_pass_is_left_but_its_result():
    model = build(CONFIG).eval()

    def tensors_left(**instruments):
        gc.collect()
        gc.freeze()
        with torch.inference_mode():
            logits = model(SOURCE, TARGET, **instruments)
        gc.collect()
        left = [thing for thing in gc.get_objects() if type(thing) is torch.Tensor and thing is not logits]
        gc.unfreeze()
        return len(left)

    maps = []
    assert tensors_left() == 0
    # q, k and the log-sum-exp of each site, and nothing as large as a map.
    assert tensors_left(tap=maps.append) == 3 * len(CONFIG.sites())
