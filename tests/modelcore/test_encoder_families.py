"""BERT, RoBERTa, DistilBERT and ELECTRA against the outside implementation, with every head."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from tests.modelcore.agreement import assert_close, assert_same_logits, assert_same_maps
from tests.modelcore.shrunk import save_model

VOCABULARY = 61
SIZES = {"vocab_size": VOCABULARY, "hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 3}
SIZES |= {"intermediate_size": 44, "max_position_embeddings": 37, "num_labels": 5}
SIZES_DISTILBERT = {"vocab_size": VOCABULARY, "dim": 30, "n_layers": 2, "n_heads": 5, "hidden_dim": 44}
SIZES_DISTILBERT |= {"max_position_embeddings": 37, "num_labels": 5}

HEADS = ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("Bert", SIZES),
    "bert-tanh": ("Bert", SIZES | {"hidden_act": "gelu_new", "type_vocab_size": 3, "layer_norm_eps": 1e-5}),
    "bert-untied": ("Bert", SIZES | {"tie_word_embeddings": False}),
    "roberta": ("Roberta", SIZES | {"type_vocab_size": 1, "pad_token_id": 1}),
    "roberta-padding": ("Roberta", SIZES | {"hidden_act": "relu", "pad_token_id": 4}),
    "xlm-roberta": ("XLMRoberta", SIZES),
    "camembert": ("Camembert", SIZES),
    "distilbert": ("DistilBert", SIZES_DISTILBERT),
    "distilbert-relu": ("DistilBert", SIZES_DISTILBERT | {"activation": "relu", "sinusoidal_pos_embds": True}),
    "electra": ("Electra", SIZES | {"embedding_size": 14, "hidden_act": "relu"}),
    "electra-wide": ("Electra", SIZES | {"embedding_size": 30}),
}
CASES = [(name, head) for name in FAMILIES for head in HEADS]
CASES += [("bert", "ForPreTraining"), ("electra", "ForPreTraining"), ("electra-wide", "ForPreTraining")]


def save(folder: Path, name: str, head: str) -> Any:
    class_prefix, settings = FAMILIES[name]
    settings = settings | ({"num_labels": 2} if head == "ForQuestionAnswering" else {})
    kind = getattr(transformers, class_prefix + head)
    return save_model(kind, kind.config_class(**settings), folder)


def scores(outside: Any, **inputs: torch.Tensor) -> torch.Tensor:
    """What the outside head gives, in our shape."""
    output = outside(**inputs)
    for name in ("prediction_logits", "logits", "last_hidden_state"):
        if name in output:
            given = output[name]
            return given[..., None] if type(outside).__name__ == "ElectraForPreTraining" else given
    return torch.stack([output.start_logits, output.end_logits], dim=-1)


def refusal(folder: Path) -> str:
    with pytest.raises(CheckpointError) as refused:
        open_checkpoint(folder).load()
    return str(refused.value)


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(("name", "head"), CASES)
def test_maps_and_scores_are_the_same_and_survive_saving(tmp_path, name, head):
    outside = save(tmp_path, name, head)
    checkpoint = open_checkpoint(tmp_path)
    model = checkpoint.load()
    save_checkpoint(tmp_path / "ours", model, checkpoint.family)
    reopened = getattr(transformers, json.loads((tmp_path / "ours" / "config.json").read_text())["architectures"][0])
    reopened = reopened.from_pretrained(tmp_path / "ours").eval()
    for tokens in (1, 31):
        ids, maps = torch.randint(5, VOCABULARY, (2, tokens)), []
        with torch.inference_mode():
            given = model(ids, tap=maps.append)
            assert_same_logits(given, scores(outside, input_ids=ids))
            assert_same_maps(maps, outside(ids, output_attentions=True).attentions)
            # A question answerer is a classifier of tokens under another name, and is saved as one.
            assert_same_logits(scores(reopened, input_ids=ids), given)
    assert open_checkpoint(tmp_path / "ours").config == checkpoint.config


@pytest.mark.parametrize("name", ["bert", "electra", "roberta-padding"])
def test_segments_are_told_apart(tmp_path, name):
    outside = save(tmp_path, name, "ForTokenClassification")
    ids, types = torch.randint(5, VOCABULARY, (2, 13)), torch.randint(0, 2, (2, 13))
    with torch.inference_mode():
        given = open_checkpoint(tmp_path).load()(ids, token_types_BN=types)
        assert_same_logits(given, scores(outside, input_ids=ids, token_type_ids=types))


@pytest.mark.parametrize("name", ["bert", "roberta", "distilbert", "electra"])
def test_padded_texts_equal_single_ones(tmp_path, name):
    outside = save(tmp_path, name, "ForMaskedLM")
    model = open_checkpoint(tmp_path).load()
    ids, padding = torch.randint(5, VOCABULARY, (2, 11)), outside.config.pad_token_id
    ids[1, 4:] = padding
    with torch.inference_mode():
        together = model(ids, lengths_B=torch.tensor([11, 4]))
        assert_close(together[:1], model(ids[:1]))
        assert_close(together[1:, :4], model(ids[1:, :4]))
        expected = outside(ids, attention_mask=(ids != padding).long()).logits
    assert_close(together[1, :4], expected[1, :4])


def test_names_of_the_first_files_are_read(tmp_path):
    """The files of 2018 say gamma and beta, repeat the tied matrix and its bias, and store the positions' numbers."""
    outside = save(tmp_path, "bert", "ForMaskedLM")
    tensors = load_file(tmp_path / "model.safetensors")
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in tensors.items()
    }
    renamed["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"].clone()
    renamed["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"].clone()
    renamed["bert.embeddings.position_ids"] = torch.arange(37)[None]
    save_file(renamed, tmp_path / "model.safetensors")
    checkpoint, ids = open_checkpoint(tmp_path), torch.randint(5, VOCABULARY, (1, 9))
    assert checkpoint.unused == []
    with torch.inference_mode():
        assert_same_logits(checkpoint.load()(ids), outside(ids).logits)


def test_pooler_that_no_head_reads_is_listed(tmp_path):
    save(tmp_path, "bert", "Model")
    assert open_checkpoint(tmp_path).unused == ["pooler.dense.bias", "pooler.dense.weight"]


@pytest.mark.parametrize(("head", "output"), [("ForMaskedLM", "vocabulary"), ("Model", "hidden")])
def test_head_is_told_by_the_tensors_where_no_class_is_named(tmp_path, head, output):
    save(tmp_path, "bert", head)
    change_config(tmp_path, architectures=None)
    assert open_checkpoint(tmp_path).config.head.output == output


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"is_decoder": True}, "is_decoder"),
        ({"add_cross_attention": True}, "add_cross_attention"),
        ({"position_embedding_type": "relative_key"}, "position_embedding_type"),
        ({"architectures": ["BertForMultipleChoice"]}, "BertForMultipleChoice"),
        ({"architectures": ["RobertaForMaskedLM"]}, "RobertaForMaskedLM"),
        ({"architectures": "Bert"}, "architectures"),
        ({"hidden_act": "mystery"}, "hidden_act"),
        ({"type_vocab_size": 0}, "type_vocab_size"),
        ({"layer_norm_eps": 0}, "layer_norm_eps"),
        ({"num_labels": 0, "id2label": None, "architectures": ["BertForTokenClassification"]}, "num_labels"),
        ({"use_entity_aware_attention": True}, "use_entity_aware_attention"),
    ],
)
def test_setting_that_we_do_not_compute_is_refused_by_name(tmp_path, changes, named):
    save(tmp_path, "bert", "ForMaskedLM")
    change_config(tmp_path, **changes)
    assert named in refusal(tmp_path)


def test_positions_that_end_before_the_padding_tokens_are_refused(tmp_path):
    save(tmp_path, "roberta", "ForMaskedLM")
    change_config(tmp_path, max_position_embeddings=2)
    assert "max_position_embeddings 2" in refusal(tmp_path)
