"""T5, BART, mBART and Marian against the outside implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import nn

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from tests.modelcore.agreement import assert_close, assert_same_logits, assert_same_maps
from tests.modelcore.shrunk import SHAPES_MARIAN, TOKENS_MARIAN, save_model

VOCABULARY = 71
SIZES_BART = SHAPES_MARIAN | {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "decoder_start_token_id": 2}
SIZES_T5 = {"vocab_size": VOCABULARY, "d_model": 24, "d_kv": 7, "d_ff": 50, "num_layers": 2, "num_decoder_layers": 3}
SIZES_T5 |= {"num_heads": 3, "relative_attention_num_buckets": 10, "relative_attention_max_distance": 17}
GATED = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False}

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "t5": (transformers.T5ForConditionalGeneration, SIZES_T5 | {"decoder_start_token_id": 0}),
    "t5-gated": (transformers.T5ForConditionalGeneration, SIZES_T5 | GATED),
    "t5-silu": (transformers.T5ForConditionalGeneration, SIZES_T5 | {"feed_forward_proj": "gated-silu"}),
    "t5-even": (transformers.T5ForConditionalGeneration, SIZES_T5 | {"d_kv": 8, "relative_attention_num_buckets": 32}),
    "t5-bare": (transformers.T5Model, SIZES_T5),
    "bart": (transformers.BartForConditionalGeneration, SIZES_BART),
    "bart-scaled": (
        transformers.BartForConditionalGeneration,
        SIZES_BART | {"scale_embedding": True, "activation_function": "relu", "d_model": 30},
    ),
    "bart-bare": (transformers.BartModel, SIZES_BART),
    "mbart": (transformers.MBartForConditionalGeneration, SIZES_BART),
    "mbart-no-start": (transformers.MBartForConditionalGeneration, SIZES_BART | {"decoder_start_token_id": None}),
    "marian": (transformers.MarianMTModel, SHAPES_MARIAN | TOKENS_MARIAN | {"scale_embedding": True}),
    "marian-bare": (transformers.MarianModel, SHAPES_MARIAN | TOKENS_MARIAN),
}


def save(folder: Path, name: str) -> Any:
    """T5 does not scale its scores, so smaller weights make its attention as peaked as the others'."""
    kind, settings = MODELS[name]
    return save_model(kind, kind.config_class(**settings), folder, spread=0.2 if name.startswith("t5") else 0.3)


def result(output: Any) -> torch.Tensor:
    return output.logits if "logits" in output else output.last_hidden_state


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        open_checkpoint(folder).load()
    return str(refused.value)


def interleaved(model: Any, expected: Any) -> list[torch.Tensor]:
    """The outside maps in the order of our forward pass."""
    by_kind = {"encoder.self": expected.encoder_attentions, "decoder.self": expected.decoder_attentions}
    by_kind["decoder.cross"] = expected.cross_attentions
    return [by_kind[f"{site.stack}.{site.kind}"][site.layer] for site in model.config.sites()]


@pytest.mark.parametrize("name", MODELS)
def test_maps_and_logits_are_the_same_and_survive_saving(tmp_path, name):
    outside = save(tmp_path, name)
    checkpoint = open_checkpoint(tmp_path)
    model = checkpoint.load()
    save_checkpoint(tmp_path / "ours", model, checkpoint.family)
    reopened = type(outside).from_pretrained(tmp_path / "ours").eval()
    for source, target in ((1, 1), (37, 6), (5, 39)):
        ids, target_ids, maps = torch.randint(3, 70, (2, source)), torch.randint(3, 70, (2, target)), []
        with torch.inference_mode():
            logits = model(ids, target_ids, tap=maps.append)
            expected = outside(ids, decoder_input_ids=target_ids, output_attentions=True)
            assert_same_logits(logits, result(expected))
            assert_same_maps(maps, interleaved(model, expected))
            assert_same_logits(result(reopened(ids, decoder_input_ids=target_ids)), logits)
    assert open_checkpoint(tmp_path / "ours").config == checkpoint.config


@pytest.mark.parametrize("name", ["t5", "bart", "mbart", "marian"])
def test_padded_sources_equal_single_ones(tmp_path, name):
    outside = save(tmp_path, name)
    model = open_checkpoint(tmp_path).load()
    ids, target, padding = torch.randint(3, 70, (2, 9)), torch.randint(3, 70, (2, 5)), outside.config.pad_token_id
    ids[1, 4:] = padding
    with torch.inference_mode():
        together = model(ids, target, source_lengths_B=torch.tensor([9, 4]))
        assert_close(together[:1], model(ids[:1], target[:1]))
        assert_close(together[1:], model(ids[1:, :4], target[1:]))
        mask = (ids != padding).long()
        assert_same_logits(together, outside(ids, attention_mask=mask, decoder_input_ids=target).logits)


@pytest.mark.parametrize("in_config", [{"tie_word_embeddings": False, "scale_decoder_outputs": None}, {}])
def test_output_matrix_of_t5_is_its_own_where_one_is_stored(tmp_path, in_config):
    """Version 1.1: transformers before 5 say so by tie_word_embeddings, later ones by scale_decoder_outputs alone."""
    kind, settings = MODELS["t5-gated"]
    outside = kind(kind.config_class(**settings)).eval()
    outside.lm_head.weight = nn.Parameter(torch.randn(VOCABULARY, 24))
    outside.save_pretrained(tmp_path)
    change_config(tmp_path, **in_config)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.unused == []
    model = checkpoint.load()
    save_checkpoint(tmp_path / "ours", model, "t5")
    ids, target = torch.randint(3, 70, (1, 8)), torch.randint(3, 70, (1, 5))
    with torch.inference_mode():
        expected = outside(ids, decoder_input_ids=target).logits
        assert_same_logits(model(ids, target), expected)
        reopened = kind.from_pretrained(tmp_path / "ours").eval()
        assert_same_logits(reopened(ids, decoder_input_ids=target).logits, expected)


def test_encoder_of_t5_alone_gives_hidden_states(tmp_path):
    kind = transformers.T5EncoderModel
    outside, maps = save_model(kind, kind.config_class(**SIZES_T5), tmp_path), []
    model, ids = open_checkpoint(tmp_path).load(), torch.randint(3, 70, (2, 31))
    save_checkpoint(tmp_path / "ours", model, "t5")
    with torch.inference_mode():
        hidden, expected = model(ids, tap=maps.append), outside(ids, output_attentions=True)
        assert_same_logits(hidden, expected.last_hidden_state)
        assert_same_maps(maps, expected.attentions)
        assert_same_logits(kind.from_pretrained(tmp_path / "ours").eval()(ids).last_hidden_state, hidden)


@pytest.mark.parametrize("name", ["t5", "bart", "marian"])
def test_tied_tensors_may_be_stored_under_all_their_names(tmp_path, name):
    outside = save(tmp_path, name)
    tensors = {key: tensor.clone() for key, tensor in outside.state_dict().items() if "embed_positions" not in key}
    tensors |= {key: t for key, t in load_file(tmp_path / "model.safetensors").items() if "embed_positions" in key}
    save_file(tensors, tmp_path / "model.safetensors")
    assert "lm_head.weight" in tensors
    checkpoint, ids = open_checkpoint(tmp_path), torch.randint(3, 70, (1, 9))
    assert checkpoint.unused == []
    with torch.inference_mode():
        assert_same_logits(checkpoint.load()(ids, ids), outside(ids, decoder_input_ids=ids).logits)


@pytest.mark.parametrize(
    ("name", "changes", "named"),
    [
        ("t5", {"feed_forward_proj": "gated-mystery"}, "feed_forward_proj"),
        ("t5", {"dense_act_fn": "gelu"}, "dense_act_fn"),
        ("t5", {"is_decoder": True}, "is_decoder"),
        ("t5", {"architectures": ["T5ForSequenceClassification"]}, "T5ForSequenceClassification"),
        ("t5", {"relative_attention_max_distance": 5}, "relative_attention_max_distance"),
        ("t5", {"pad_token_id": None, "decoder_start_token_id": None}, "start_token"),
        ("bart", {"architectures": ["BartForSequenceClassification"]}, "BartForSequenceClassification"),
        ("bart", {"normalize_before": True}, "normalize_before"),
        ("bart", {"normalize_embedding": False}, "normalize_embedding"),
        ("bart", {"static_position_embeddings": True}, "static_position_embeddings"),
        ("bart", {"tie_word_embeddings": False}, "tie_word_embeddings"),
        ("bart", {"decoder_start_token_id": None}, "decoder_start_token_id"),
        ("bart", {"max_position_embeddings": 41}, "model.encoder.embed_positions.weight"),
        ("mbart", {"add_final_layer_norm": False}, "add_final_layer_norm"),
    ],
)
def test_setting_that_we_do_not_compute_is_refused_by_name(tmp_path, name, changes, named):
    save(tmp_path, name)
    change_config(tmp_path, **changes)
    assert named in refusal(tmp_path)
