"""ViT and DeiT against the outside implementation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

from modelcore.checkpoints.error import CheckpointError
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.checkpoints.writer import save_checkpoint
from tests.modelcore.agreement import assert_same_logits, assert_same_maps
from tests.modelcore.shrunk import save_model

SIZES = {"hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 5, "intermediate_size": 44}
SIZES |= {"image_size": 15, "patch_size": 4, "num_labels": 7}
OBLONG = {"image_size": [12, 21], "patch_size": [4, 3], "num_channels": 2, "hidden_act": "relu", "qkv_bias": False}

MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "vit": (transformers.ViTForImageClassification, SIZES),
    "vit-oblong": (transformers.ViTForImageClassification, SIZES | OBLONG),
    "vit-bare": (transformers.ViTModel, SIZES | {"layer_norm_eps": 1e-6}),
    "deit": (transformers.DeiTForImageClassification, SIZES),
    "deit-distilled": (transformers.DeiTForImageClassificationWithTeacher, SIZES | OBLONG),
    "deit-bare": (transformers.DeiTModel, SIZES),
}


def save(folder: Path, name: str) -> Any:
    kind, settings = MODELS[name]
    return save_model(kind, kind.config_class(**settings), folder)


def result(output: Any) -> torch.Tensor:
    return output.logits if "logits" in output else output.last_hidden_state


def pixels(name: str) -> torch.Tensor:
    oblong = MODELS[name][1]["image_size"] == OBLONG["image_size"]
    return torch.randn(2, 2, 12, 21) if oblong else torch.randn(2, 3, 15, 15)


def change_config(folder: Path, **changes: Any) -> None:
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize("name", MODELS)
def test_maps_and_classes_are_the_same_and_survive_saving(tmp_path, name):
    outside, picture, maps = save(tmp_path, name), pixels(name), []
    checkpoint = open_checkpoint(tmp_path)
    model = checkpoint.load()
    save_checkpoint(tmp_path / "ours", model, checkpoint.family)
    with torch.inference_mode():
        given = model(picture, tap=maps.append)
        expected = outside(picture, output_attentions=True)
        assert_same_logits(given, result(expected))
        assert_same_maps(maps, expected.attentions)
        assert_same_logits(result(type(outside).from_pretrained(tmp_path / "ours").eval()(picture)), given)
    assert open_checkpoint(tmp_path / "ours").config == checkpoint.config


@pytest.mark.parametrize("name", ["vit", "deit-distilled"])
def test_names_that_a_model_has_in_memory_are_read_too(tmp_path, name):
    """transformers 5 renames when it saves; `torch.save(model.state_dict())` does not."""
    outside, picture = save(tmp_path, name), pixels(name)
    before = open_checkpoint(tmp_path).load()(picture)
    torch.save(outside.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    assert torch.equal(open_checkpoint(tmp_path).load()(picture), before)


def test_file_without_a_named_class_is_a_bare_models(tmp_path):
    save(tmp_path, "vit-bare")
    change_config(tmp_path, architectures=None)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.config.head.output == "hidden"
    assert checkpoint.unused == ["pooler.dense.bias", "pooler.dense.weight"]


def test_picture_of_another_size_is_refused(tmp_path):
    save(tmp_path, "vit")
    with pytest.raises(ValueError, match=r"3, 15, 15"):
        open_checkpoint(tmp_path).load()(torch.zeros(1, 3, 16, 15))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"architectures": ["ViTForMaskedImageModeling"]}, "ViTForMaskedImageModeling"),
        ({"image_size": [15, 15, 15]}, "image_size"),
        ({"image_size": "15"}, "image_size"),
        ({"patch_size": 0}, "patch_size"),
        ({"patch_size": 16}, "patch"),
        ({"image_size": 19}, "vit.embeddings.position_embeddings"),
        ({"num_channels": 1}, "vit.embeddings.patch_embeddings.projection.weight"),
        ({"hidden_act": "mystery"}, "hidden_act"),
        ({"use_mean_pooling": True}, "use_mean_pooling"),
    ],
)
def test_setting_that_we_do_not_compute_is_refused_by_name(tmp_path, changes, named):
    save(tmp_path, "vit")
    change_config(tmp_path, **changes)
    with pytest.raises(CheckpointError, match=named):
        open_checkpoint(tmp_path).load()
