"""Checkpoints that open, and all those that are refused, each with a sentence that names the thing."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelcore.checkpoints.reader import CheckpointError, open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from modelcore.config import HeadConfig, ModelConfig, StackConfig
from modelcore.manifest import describe
from modelcore.models.build import build
from tests.modelcore.shrunk import save_gpt2, save_marian

GPT2_WEIGHTS = "model.safetensors"


@pytest.fixture
def gpt2(tmp_path) -> Path:
    save_gpt2(tmp_path)
    return tmp_path


@pytest.fixture
def marian(tmp_path) -> Path:
    save_marian(tmp_path)
    return tmp_path


def change_config(folder: Path, **changes) -> None:
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


def change_weights(folder: Path, change) -> None:
    tensors = load_file(folder / GPT2_WEIGHTS)
    change(tensors)
    save_file(tensors, folder / GPT2_WEIGHTS, metadata={"format": "pt"})


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        open_checkpoint(folder).load()
    message = str(refused.value)
    assert len(message) <= 300
    assert "\n" not in message
    assert str(folder) not in message
    return message


def test_manifest_tells_the_sizes(gpt2):
    manifest = describe(gpt2)
    parameters = sum(tensor.numel() for tensor in load_file(gpt2 / GPT2_WEIGHTS).values())
    assert manifest["family"] == "gpt2"
    assert manifest["architecture"] == "decoder"
    assert (manifest["layers"], manifest["encoder_layers"], manifest["heads"], manifest["width"]) == (3, 0, 3, 36)
    assert manifest["parameters"] == parameters
    assert manifest["sites"] == ["decoder.self.0", "decoder.self.1", "decoder.self.2"]
    assert manifest["has_tokenizer"] is False
    assert json.loads(json.dumps(manifest)) == manifest


def test_saved_model_opens_outside_with_the_same_logits(tmp_path):
    import transformers

    stack = StackConfig(layers=2, heads=3, feedforward_width=40)
    sizes = {"vocabulary": 50, "positions": 20, "width": 24, "decoder": stack}
    decoder = build(ModelConfig(**sizes, end_token=0)).eval()
    marian = {"position_encoding": "sinusoidal", "norm_placement": "post", "final_norm": False, "activation": "relu"}
    marian |= {"embedding_scale": 24**0.5, "head": HeadConfig(bias=True)}
    marian |= {"start_token": 1, "end_token": 0, "pad_token": 1}
    both = build(ModelConfig(**sizes, encoder=StackConfig(3, 4, 30), **marian)).eval()
    torch.nn.init.normal_(both.head.bias)
    save_checkpoint(tmp_path / "a", decoder, "gpt2")
    save_checkpoint(tmp_path / "b", both, "marian")
    ids, target = torch.randint(0, 50, (2, 9)), torch.randint(0, 50, (2, 7))
    with torch.inference_mode():
        outside = transformers.GPT2LMHeadModel.from_pretrained(tmp_path / "a")
        assert torch.allclose(outside(ids).logits, decoder(ids), atol=1e-4)
        outside = transformers.MarianMTModel.from_pretrained(tmp_path / "b")
        assert torch.allclose(outside(ids, decoder_input_ids=target).logits, both(ids, target), atol=1e-4)
    assert torch.equal(open_checkpoint(tmp_path / "b").load()(ids, target), both(ids, target))
    assert open_checkpoint(tmp_path / "b").config == both.config


def test_half_precision_weights_are_loaded_as_float32(gpt2):
    change_weights(gpt2, lambda tensors: tensors.update({name: t.half() for name, t in tensors.items()}))
    assert {weight.dtype for weight in open_checkpoint(gpt2).load().parameters()} == {torch.float32}


def test_shards_load_as_one_file_does(gpt2):
    ids = torch.randint(0, 83, (1, 9))
    whole = open_checkpoint(gpt2).load()(ids)
    tensors = load_file(gpt2 / GPT2_WEIGHTS)
    (gpt2 / GPT2_WEIGHTS).unlink()
    shards = [{name: t for i, (name, t) in enumerate(tensors.items()) if i % 2 == part} for part in (0, 1)]
    weight_map = {}
    for part, shard in enumerate(shards):
        save_file(shard, gpt2 / f"part-{part}.safetensors")
        weight_map |= dict.fromkeys(shard, f"part-{part}.safetensors")
    (gpt2 / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert torch.equal(open_checkpoint(gpt2).load()(ids), whole)


def test_original_names_without_prefix_and_with_masks_are_read(gpt2):
    """The first GPT-2 files name tensors h.0.… and carry the causal mask of each layer."""
    ids = torch.randint(0, 83, (1, 9))
    before = open_checkpoint(gpt2).load()(ids)

    def rename(tensors):
        bare = {name.removeprefix("transformer."): tensor for name, tensor in tensors.items()}
        tensors.clear()
        tensors.update(bare | {"h.0.attn.bias": torch.ones(1, 1, 4, 4, dtype=torch.uint8)})

    change_weights(gpt2, rename)
    assert torch.equal(open_checkpoint(gpt2).load()(ids), before)
    assert open_checkpoint(gpt2).unused == []


def test_tensors_that_nobody_asked_for_are_listed(gpt2):
    change_weights(gpt2, lambda tensors: tensors.update(surplus=torch.ones(3)))
    assert open_checkpoint(gpt2).unused == ["surplus"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_by_name(gpt2, value):
    change_weights(gpt2, lambda tensors: tensors["transformer.ln_f.weight"][3:4].fill_(value))
    assert "transformer.ln_f.weight holds values that are not finite" in refusal(gpt2)


def test_large_finite_weights_are_no_infinity(gpt2):
    """Their sum overflows, though each of them is a number."""
    change_weights(gpt2, lambda tensors: tensors["transformer.ln_f.weight"].fill_(3e38))
    open_checkpoint(gpt2).load()


def test_missing_tensor_is_named(gpt2):
    change_weights(gpt2, lambda tensors: tensors.pop("transformer.h.1.mlp.c_fc.bias"))
    assert "transformer.h.1.mlp.c_fc.bias is missing" in refusal(gpt2)


def test_wrong_shape_is_named(marian):
    change_weights(marian, lambda tensors: tensors.update({"model.encoder.layers.0.fc1.bias": torch.ones(3)}))
    assert "model.encoder.layers.0.fc1.bias has the shape [3], where config.json asks for [50]" in refusal(marian)


def test_config_that_disagrees_with_the_weights_is_refused(gpt2):
    change_config(gpt2, n_layer=4)
    assert "transformer.h.3" in refusal(gpt2)


def test_integers_are_no_weights(gpt2):
    change_weights(gpt2, lambda tensors: tensors.update({"transformer.ln_f.bias": torch.ones(36, dtype=torch.int64)}))
    assert "dtype I64" in refusal(gpt2)


def test_tied_tensors_that_differ_are_refused(gpt2):
    change_weights(gpt2, lambda tensors: tensors.update({"lm_head.weight": torch.ones(83, 36)}))
    assert "lm_head.weight differs from transformer.wte.weight" in refusal(gpt2)


def test_positions_that_are_no_sinusoids_are_refused(marian):
    table = {"model.encoder.embed_positions.weight": torch.zeros(40, 24)}
    change_weights(marian, lambda tensors: tensors.update(table))
    assert "model.encoder.embed_positions.weight" in refusal(marian)


@pytest.mark.parametrize("kept", [3, 8, 400, -1])
def test_truncated_file_is_refused(gpt2, kept):
    raw = (gpt2 / GPT2_WEIGHTS).read_bytes()
    (gpt2 / GPT2_WEIGHTS).write_bytes(raw[:kept])
    assert "model.safetensors" in refusal(gpt2)


def test_header_that_claims_more_than_the_file_is_refused_without_reading(gpt2):
    (gpt2 / GPT2_WEIGHTS).write_bytes((2**62).to_bytes(8, "little") + b"{}")
    assert "cut short" in refusal(gpt2)


def test_tensor_declared_twice_is_refused(gpt2):
    place = '"dtype":"F32","shape":[1],"data_offsets":[0,4]'
    header = f'{{"a":{{{place}}},"a":{{{place}}}}}'.encode()
    (gpt2 / GPT2_WEIGHTS).write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    assert "declares a twice" in refusal(gpt2)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"scale_attn_weights": "no"}, "scale_attn_weights"),
        ({"tie_word_embeddings": False}, "lm_head.weight"),
        ({"activation_function": "mystery"}, "activation_function"),
        ({"rope_scaling": {"factor": 2}}, "rope_scaling"),
        ({"n_head": 5}, "heads"),
        ({"n_embd": "36"}, "n_embd"),
        ({"n_layer": 10**9}, "n_layer"),
        ({"vocab_size": 0}, "vocab_size"),
        ({"model_type": "mamba"}, "mamba"),
        ({"model_type": None}, "model_type"),
    ],
)
def test_setting_that_we_do_not_compute_is_refused_by_name(gpt2, changes, named):
    change_config(gpt2, **changes)
    assert named in refusal(gpt2)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"normalize_before": True}, "normalize_before"),
        ({"share_encoder_decoder_embeddings": False}, "share_encoder_decoder_embeddings"),
        ({"decoder_vocab_size": 5}, "decoder_vocab_size"),
        ({"decoder_start_token_id": None}, "decoder_start_token_id"),
        ({"decoder_start_token_id": 71}, "start_token"),
        ({"max_position_embeddings": 2**30}, "max_position_embeddings"),
    ],
)
def test_setting_of_marian_that_we_do_not_compute_is_refused_by_name(marian, changes, named):
    change_config(marian, **changes)
    assert named in refusal(marian)


def test_weights_under_a_pickles_name_that_are_none_are_refused(gpt2):
    (gpt2 / GPT2_WEIGHTS).rename(gpt2 / "pytorch_model.bin")
    assert "pytorch_model.bin" in refusal(gpt2)


def test_folder_without_config_is_refused(tmp_path):
    assert "config.json is missing" in refusal(tmp_path)
    assert "is not a folder" in refusal(tmp_path / "absent")


def test_config_that_is_no_json_object_is_refused(gpt2):
    for text in ("[1]", "{", "[" * 100_000):
        (gpt2 / "config.json").write_text(text)
        assert "config.json cannot be read" in refusal(gpt2)


@pytest.mark.parametrize("shard", ["../outside.safetensors", "/etc/passwd", "..", "a/b.safetensors"])
def test_shard_index_cannot_leave_the_folder(gpt2, shard):
    (gpt2 / GPT2_WEIGHTS).unlink()
    (gpt2 / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": shard}}))
    assert "not a plain file name" in refusal(gpt2)


@pytest.mark.parametrize("name", ["config.json", GPT2_WEIGHTS])
def test_link_that_leaves_the_folder_is_refused(gpt2, tmp_path_factory, name):
    outside = tmp_path_factory.mktemp("outside") / name
    os.replace(gpt2 / name, outside)
    (gpt2 / name).symlink_to(outside)
    assert f"{name} is a link that leaves" in refusal(gpt2)


def test_index_that_promises_a_missing_tensor_is_refused(gpt2):
    os.replace(gpt2 / GPT2_WEIGHTS, gpt2 / "part.safetensors")
    index = {"weight_map": {"ghost": "part.safetensors"}}
    (gpt2 / "model.safetensors.index.json").write_text(json.dumps(index))
    assert "ghost" in refusal(gpt2)
