"""What an adapter takes from a checkpoint's folder, and what it refuses."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from modelcore.adapters.values import cleaned
from modelcore.checkpoints.error import CheckpointError
from tests.modelcore.shrunk_adapted import TEXT, open_saved, save


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a checkpoint asked for the network")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)


def change_weights(folder: Path, change: Any) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


HOSTILE = {
    "_attn_implementation": "attacker/kernel",
    "_attn_implementation_internal": "attacker/kernel",
    "_experts_implementation": "attacker/kernel",
    "attn_implementation": "attacker/kernel:run",
    "experts_implementation": "attacker/kernel",
    "auto_map": {"AutoConfig": "attacker/repo--code.Config", "AutoModelForCausalLM": "code.Model"},
    "kernel_config": {"RMSNorm": "attacker/kernel:RMSNorm"},
    "fusion_config": {"patch_embeddings": True},
    "use_kernels": True,
    "name_or_path": "attacker/repo",
    "_name_or_path": "attacker/repo",
    "transformers_weights": "../elsewhere.safetensors",
    "trust_remote_code": True,
}


def test_settings_that_would_run_or_fetch_code_do_nothing(tmp_path: Path, no_network: None) -> None:
    outside = save("Granite", tmp_path)
    (tmp_path / "code.py").write_text("raise SystemExit('foreign code ran')")
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "attacker/repo"}))
    (tmp_path / "generation_config.json").write_text(json.dumps({"custom_generate": "attacker/repo"}))
    checkpoint = open_saved(tmp_path, **HOSTILE)
    with torch.no_grad():
        expected = outside(TEXT).logits
    assert torch.allclose(checkpoint.load()(TEXT), expected, atol=1e-4)
    assert "kernels.layer" not in sys.modules


def test_nested_settings_are_cleaned_as_well() -> None:
    nested = {"hidden_size": 8, "vision_config": HOSTILE, "deeper": [{"text_config": HOSTILE | {"depth": 2}}]}
    assert cleaned({"text_config": nested}) == {
        "text_config": {
            "hidden_size": 8,
            "vision_config": {},
            "deeper": [{"text_config": {"depth": 2}}],
        }
    }


def test_a_setting_cannot_take_the_place_of_what_a_configuration_does(tmp_path: Path) -> None:
    save("Granite", tmp_path)
    checkpoint = open_saved(tmp_path, get_text_config="x", to_dict={}, sub_configs={"x": {}}, attribute_map={})
    assert checkpoint.config.width == 24


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"quantization_config": {"quant_method": "bitsandbytes"}}, "quantization_config"),
        ({"text_config": {"quantization_config": {"quant_method": "awq"}}}, "quantization_config"),
        ({"use_pretrained_backbone": True}, "use_pretrained_backbone"),
        ({"backbone": "../other"}, "backbone"),
        ({"text_config": "attacker/repo"}, "text_config"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"vocab_size": 10**8}, "asks for"),
        ({"architectures": ["AttackerForCausalLM"]}, "AttackerForCausalLM"),
        ({"architectures": ["Trainer"]}, "Trainer"),
        ({"model_type": "attacker"}, "attacker"),
        ({"model_type": ["granite"]}, "not known"),
        ({"hidden_size": 0}, "config.json"),
        ({"num_attention_heads": "many"}, "config.json"),
        ({"rope_parameters": {"rope_type": "attacker", "rope_theta": 1.0}}, "config.json"),
    ],
)
def test_settings_that_no_model_can_follow_are_refused_by_name(
    changes: dict[str, Any], says: str, tmp_path: Path, no_network: None
) -> None:
    save("Granite", tmp_path)
    with pytest.raises(CheckpointError, match=says):
        open_saved(tmp_path, **changes)


def test_a_missing_tensor_is_named_instead_of_made_up(tmp_path: Path) -> None:
    """transformers draws a missing weight at random and shows a fine-looking map of it."""
    save("Granite", tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.pop("model.layers.1.self_attn.k_proj.weight"))
    with pytest.raises(CheckpointError, match=r"model\.layers\.1\.self_attn\.k_proj\.weight is missing"):
        open_saved(tmp_path)


def test_a_missing_expert_is_noticed_where_experts_are_joined(tmp_path: Path) -> None:
    save("Qwen2Moe", tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.pop("model.layers.1.mlp.experts.2.up_proj.weight"))
    with pytest.raises(CheckpointError):
        open_saved(tmp_path)


def test_a_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    save("Granite", tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.update({"model.norm.weight": torch.ones(23)}))
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight has the shape \[23\].*\[24\]"):
        open_saved(tmp_path)


def test_a_tensor_that_the_model_has_no_use_for_is_listed(tmp_path: Path) -> None:
    save("Granite", tmp_path)
    change_weights(tmp_path, lambda tensors: tensors.update({"model.extra.weight": torch.ones(3)}))
    assert open_saved(tmp_path).unused == ["model.extra.weight"]


def test_a_weight_that_is_not_finite_is_named(tmp_path: Path) -> None:
    save("Granite", tmp_path)
    change_weights(tmp_path, lambda tensors: tensors["model.norm.weight"].__setitem__(3, torch.nan))
    with pytest.raises(CheckpointError, match=r"model\.norm\.weight holds values that are not finite"):
        open_saved(tmp_path).load()


def test_pickled_weights_beside_do_not_matter(tmp_path: Path) -> None:
    save("Granite", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"not a pickle")
    assert open_saved(tmp_path).load()(TEXT).isfinite().all()


def test_a_model_without_attention_is_refused(tmp_path: Path) -> None:
    save("Mamba", tmp_path)
    with pytest.raises(CheckpointError, match="MambaMixer"):
        open_saved(tmp_path)


def test_a_model_that_exchanges_its_attention_for_short_texts_is_refused(tmp_path: Path) -> None:
    """BigBird turns to full attention at the first short text, and stays with it for all that follow."""
    save("BigBird", tmp_path)
    with pytest.raises(CheckpointError, match="exchanges its attention"):
        open_saved(tmp_path)
    save("BigBird", tmp_path, attention_type="original_full")
    assert len(open_saved(tmp_path).config.sites()) == 3


def test_opening_reads_no_weights_and_tells_what_describes_the_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = save("Pegasus", tmp_path)
    monkeypatch.setattr("modelcore.checkpoints.weights.Weights.read", lambda *_: pytest.fail("weights were read"))
    checkpoint = open_saved(tmp_path)
    config = checkpoint.config
    assert checkpoint.family == "pegasus"
    assert checkpoint.parameters == sum(weight.numel() for weight in outside.parameters())
    assert (config.architecture, config.vocabulary, config.positions, config.width) == ("encoder-decoder", 61, 64, 24)
    assert config.output == "vocabulary"
    assert [(told["site"], told["heads"]) for told in checkpoint.support()][::3] == [
        ("encoder.self.0", 3),
        ("decoder.cross.0", 2),
        ("decoder.self.2", 2),
    ]
    assert (config.start_token, config.pad_token) == (1, 0)
    assert checkpoint.tokenizer is None


def test_a_picture_is_described_by_its_patches(tmp_path: Path) -> None:
    save("Dinov2", tmp_path)
    config = open_saved(tmp_path).config
    assert config.image is not None
    assert (config.image.grid, config.image.extra_tokens, config.longest) == ((4, 4), 1, 17)
    assert config.output == "classes"


def test_native_code_does_not_pay_for_transformers() -> None:
    """The adapters are imported with the readers, transformers only when one is used."""
    import subprocess

    code = "import sys, modelcore.adapters.open; sys.exit('transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
