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
from tests.modelcore.shrunk import SHAPES_MARIAN, TOKENS_MARIAN, save_gpt2, save_model
from tests.modelcore.shrunk_adapted import TEXT, open_saved, save
from tests.modelcore.small_decoders import DECODERS, STACK, build_peaked, draw_ids
from tests.running import HOUSE

# H heads, N tokens, Q queries, K keys, D head width, W model width

TOLERANCE = 1e-4
DIGITS = HOUSE / "modelcore" / "zoo" / "digits"
IDS = [5, 17, 3, 44, 5, 17, 60, 2, 33]
SOURCE, TARGET = [4, 9, 33, 8, 0], [70, 21, 5, 60, 12, 3, 1]

LLAMA = {"vocab_size": 83, "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 3}
LLAMA |= {"num_attention_heads": 4, "num_key_value_heads": 2, "attention_bias": True}
BERT = {"vocab_size": 83, "hidden_size": 30, "num_hidden_layers": 3, "num_attention_heads": 3}
BERT |= {"intermediate_size": 44, "max_position_embeddings": 40}
VIT = {"hidden_size": 30, "num_hidden_layers": 3, "num_attention_heads": 5, "intermediate_size": 44}
VIT |= {"image_size": 15, "patch_size": 4, "num_labels": 7}


class Outside:
    """A shrunk model of transformers with its eager attention, and by site what its attention modules made of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        if name == "gpt2":
            self.model = save_gpt2(folder)
        else:
            kind, settings = {
                "llama": (transformers.LlamaForCausalLM, LLAMA),
                "bert": (transformers.BertForMaskedLM, BERT),
                "marian": (transformers.MarianMTModel, SHAPES_MARIAN | TOKENS_MARIAN | {"scale_embedding": True}),
                "vit": (transformers.ViTForImageClassification, VIT),
            }[name]
            self.model = save_model(kind, kind.config_class(**settings), folder)
        self.model.set_attn_implementation("eager")

    def request(self) -> TraceRequest:
        if self.name == "vit":
            return TraceRequest(pixels=torch.randn(1, 3, 15, 15, generator=torch.Generator().manual_seed(4)))
        return TraceRequest(ids=SOURCE, target_ids=TARGET) if self.name == "marian" else TraceRequest(ids=IDS)

    def run(self, target: Target) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The maps [H, Q, K] and the gradients of the target's logit by them, as autograd has it."""
        request = self.request()
        if self.name == "vit":
            given = {"pixel_values": request.pixels}
        elif self.name == "marian":
            given = {"input_ids": torch.tensor([SOURCE]), "decoder_input_ids": torch.tensor([TARGET])}
        else:
            given = {"input_ids": torch.tensor([IDS])}
        output = self.model(**given, output_attentions=True)
        maps = self.by_site(output)
        for map_ in maps.values():
            map_.retain_grad()
        scores = output.logits[0] if self.name == "vit" else output.logits[0, target.position]
        scores[target.token].backward()
        zero = {site: torch.zeros_like(map_) for site, map_ in maps.items()}
        gradients = {site: zero[site][0] if map_.grad is None else map_.grad[0] for site, map_ in maps.items()}
        return {site: map_[0].detach() for site, map_ in maps.items()}, gradients

    def by_site(self, output: Any) -> dict[str, Tensor]:
        if self.name == "marian":
            kinds = {"encoder.self": output.encoder_attentions, "decoder.self": output.decoder_attentions}
            kinds["decoder.cross"] = output.cross_attentions
        else:
            stack = "encoder" if self.name in ("bert", "vit") else "decoder"
            kinds = {f"{stack}.self": output.attentions}
        return {f"{kind}.{layer}": map_ for kind, maps in kinds.items() for layer, map_ in enumerate(maps)}

    def values_and_outputs(self) -> dict[str, tuple[Tensor, Tensor]]:
        """Of each site the value of each key and query head, [H, K, D], and its part of W_O, [H, D, W], from hooks on
        the modules and from the weights."""
        seen: dict[str, Tensor] = {}
        parts: dict[str, tuple[Tensor, int]] = {}
        handles = []

        def watch(site: str, value: Any, output: Any, heads: int, cut: slice = slice(None)) -> None:
            def keep(_: Any, __: Any, given: Tensor) -> None:
                seen[site] = given[0, :, cut].detach()

            handles.append(value.register_forward_hook(keep))
            # GPT-2's projections are stored the other way round.
            weight = output.weight.detach()
            parts[site] = (weight if self.name == "gpt2" else weight.T, heads)

        config, model = self.model.config, self.model
        if self.name == "gpt2":
            width = config.n_embd
            for layer, block in enumerate(model.transformer.h):
                cut = slice(2 * width, 3 * width)
                watch(f"decoder.self.{layer}", block.attn.c_attn, block.attn.c_proj, config.n_head, cut)
        elif self.name == "llama":
            for layer, block in enumerate(model.model.layers):
                own = block.self_attn
                watch(f"decoder.self.{layer}", own.v_proj, own.o_proj, config.num_attention_heads)
        elif self.name == "bert":
            for layer, block in enumerate(model.bert.encoder.layer):
                own = block.attention
                watch(f"encoder.self.{layer}", own.self.value, own.output.dense, config.num_attention_heads)
        elif self.name == "marian":
            for layer, block in enumerate(model.model.encoder.layers):
                own = block.self_attn
                watch(f"encoder.self.{layer}", own.v_proj, own.out_proj, config.encoder_attention_heads)
            for layer, block in enumerate(model.model.decoder.layers):
                for kind, own in (("self", block.self_attn), ("cross", block.encoder_attn)):
                    watch(f"decoder.{kind}.{layer}", own.v_proj, own.out_proj, config.decoder_attention_heads)
        else:
            for layer, block in enumerate(_vit_layers(model)):
                watch(f"encoder.self.{layer}", *_vit_projections(block), config.num_attention_heads)
        self.run(Target(0, 0))
        for handle in handles:
            handle.remove()
        found = {}
        for site, v_KI in seen.items():
            output_IW, heads = parts[site]
            width = len(output_IW) // heads
            v_GKD = v_KI.unflatten(1, (-1, width)).transpose(0, 1)
            v_HKD = v_GKD.repeat_interleave(heads // len(v_GKD), 0)
            found[site] = v_HKD, output_IW.unflatten(0, (heads, width))
        return found


def _vit_layers(model: Any) -> Any:
    return model.vit.layers if hasattr(model.vit, "layers") else model.vit.encoder.layer


def _vit_projections(block: Any) -> tuple[Any, Any]:
    own = block.attention
    if hasattr(own, "v_proj"):
        return own.v_proj, own.o_proj
    return own.attention.value, own.output.dense


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
