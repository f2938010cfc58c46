"""The command line: what it writes, and one line with exit code 2 where the input is at fault."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from modelcore.checkpoints.reader import open_checkpoint
from modelcore.cli import main
from tests.modelcore.shrunk import save_gpt2, save_marian


@pytest.fixture
def gpt2(tmp_path):
    save_gpt2(tmp_path / "shrunk")
    return tmp_path / "shrunk"


def test_describe_prints_the_manifest(gpt2, capsys):
    assert main(["describe", str(gpt2), "--json"]) == 0
    manifest = json.loads(capsys.readouterr().out)
    assert (manifest["name"], manifest["family"], manifest["heads"]) == ("shrunk", "gpt2", 3)
    assert main(["describe", str(gpt2)]) == 0
    assert "decoder.self.0, decoder.self.1" in capsys.readouterr().out


def test_attend_writes_logits_and_every_map(gpt2, tmp_path):
    out = tmp_path / "maps.npz"
    assert main(["attend", str(gpt2), "--ids", "5,6,7", "--out", str(out)]) == 0
    arrays = np.load(out)
    logits = open_checkpoint(gpt2).load()(torch.tensor([[5, 6, 7]]))[0]
    assert np.allclose(arrays["logits"], logits, atol=1e-5)
    assert {name for name in arrays if ".self." in name} == {f"decoder.self.{layer}" for layer in range(3)}
    assert arrays["decoder.self.2"].shape == (3, 3, 3)
    assert arrays["decoder.self.2"].dtype == np.float32
    assert np.allclose(arrays["decoder.self.2"].sum(-1), 1, atol=1e-5)


def test_attend_reads_source_and_target(tmp_path):
    save_marian(tmp_path)
    out = tmp_path / "maps.npz"
    assert main(["attend", str(tmp_path), "--ids", "5,6", "--target-ids", "70,3,4", "--out", str(out)]) == 0
    arrays = np.load(out)
    assert (arrays["decoder.cross.2"].shape, arrays["encoder.self.0"].shape) == ((2, 3, 2), (3, 2, 2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--ids", "5,83"], "Token id 83 at place 1"),
        (["--ids", ",".join("1" * 66)], "66 tokens; the model reads at most 65"),
        (["--text", "hello"], "without a tokenizer"),
        (["--ids", "5", "--target-ids", "5"], "leave the target out"),
    ],
)
def test_bad_request_is_one_line_and_nothing_is_written(gpt2, tmp_path, capsys, arguments, said):
    out = tmp_path / "maps.npz"
    assert main(["attend", str(gpt2), *arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.glob("*maps*"))


def test_bad_checkpoint_is_one_line(tmp_path, capsys):
    assert main(["describe", str(tmp_path)]) == 2
    assert capsys.readouterr().err == "error: config.json is missing from the checkpoint's folder.\n"


def test_place_that_cannot_be_written_is_one_line(gpt2, tmp_path, capsys):
    assert main(["attend", str(gpt2), "--ids", "5", "--out", str(tmp_path / "absent" / "maps.npz")]) == 2
    assert capsys.readouterr().err.startswith("error: No such file or directory")


def test_words_for_ids_are_refused_with_an_example(gpt2, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["attend", str(gpt2), "--ids", "five", "--out", "x.npz"])
    assert stopped.value.code == 2
    said = capsys.readouterr().err
    assert "5,6,7" in said
    assert said.count("\n") == 1


def test_architecture_without_a_family_is_opened_through_transformers(tmp_path):
    import transformers

    sizes = {"vocab_size": 83, "hidden_size": 24, "intermediate_size": 32, "num_hidden_layers": 2}
    config = transformers.Starcoder2Config(**sizes, num_attention_heads=3, num_key_value_heads=1, sliding_window=3)
    outside = transformers.Starcoder2ForCausalLM(config).eval()
    outside.save_pretrained(tmp_path / "code")
    out = tmp_path / "maps.npz"
    assert main(["attend", str(tmp_path / "code"), "--ids", "5,6,7,8,9", "--out", str(out)]) == 0
    arrays = np.load(out)
    outside.set_attn_implementation("eager")
    with torch.inference_mode():
        expected = outside(torch.tensor([[5, 6, 7, 8, 9]]), output_attentions=True)
    assert np.abs(arrays["logits"] - expected.logits[0].numpy()).max() < 1e-4
    assert np.abs(arrays["decoder.self.1"] - expected.attentions[1][0].numpy()).max() < 2e-5


@pytest.mark.parametrize("model_type", [None, 3, "mystery"])
def test_family_that_nobody_knows_is_refused_by_name(gpt2, capsys, model_type):
    values = json.loads((gpt2 / "config.json").read_text()) | {"model_type": model_type}
    (gpt2 / "config.json").write_text(json.dumps(values))
    assert main(["describe", str(gpt2)]) == 2
    assert ("mystery" if model_type == "mystery" else "model_type") in capsys.readouterr().err
