"""Somebody brings a checkpoint of their own: a folder in Hugging Face's GPT-2 layout, by path."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import GPT2Config, GPT2LMHeadModel

from tests.running import HOUSE, RunningSite

TEXT = "a lamp, a lamp in the dark 🙂"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three layers of three heads of width 8, and a byte-level tokenizer of its own."""
    folder = tmp_path_factory.mktemp("brought") / "My Own GPT-2"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator([TEXT], trainer)
    torch.manual_seed(0)
    vocabulary = tokenizer.get_vocab_size()
    config = GPT2Config(
        n_layer=3,
        n_head=3,
        n_embd=24,
        n_positions=40,
        vocab_size=vocabulary,
        bos_token_id=0,
        eos_token_id=0,
        initializer_range=0.3,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def add_model(site: RunningSite, path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "add_model", str(path)]
    environment = {**os.environ, "HEADLIGHT_DATA": str(site.data)}
    return subprocess.run(command, cwd=HOUSE, env=environment, capture_output=True, text=True, timeout=120, check=False)


def test_brought_model_works_like_the_zoos(site: RunningSite, folder: Path) -> None:
    done = add_model(site, folder)
    assert done.returncode == 0, done.stderr
    listed = {model["id"]: model for model in site.http.get("/api/v1/models").json()["models"]}
    mine = listed["my-own-gpt-2"]
    assert (mine["family"], mine["layers"], mine["heads"], mine["state"]) == ("gpt2", 3, 3, "cold")

    told = site.traced("my-own-gpt-2", TEXT)
    model = GPT2LMHeadModel.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.no_grad():
        out = model(torch.tensor([[token["id"] for token in told["tokens"]]]), output_attentions=True)
    for layer, expected in enumerate(out.attentions):
        for head in range(3):
            url = f"/api/v1/runs/{told['id']}/maps/decoder.self.{layer}/{head}"
            weights = np.load(io.BytesIO(site.http.get(url, headers={"accept": "application/x-npy"}).content))
            np.testing.assert_allclose(weights, expected[0, head].numpy(), atol=2e-5)


def test_adding_it_again_changes_nothing(site: RunningSite, folder: Path) -> None:
    add_model(site, folder)
    before = site.http.get("/api/v1/models").json()
    assert "Already there" in add_model(site, folder).stdout
    assert site.http.get("/api/v1/models").json() == before


@pytest.mark.parametrize("fault", ["no folder", "no weights", "cut weights", "config of another size"])
def test_folder_that_is_no_model_is_refused_in_one_line(
    site: RunningSite, folder: Path, tmp_path: Path, fault: str
) -> None:
    broken = tmp_path / "broken"
    if fault != "no folder":
        broken.mkdir()
        (broken / "config.json").write_text((folder / "config.json").read_text())
    if fault == "cut weights":
        (broken / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000])
    if fault == "config of another size":
        (broken / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
        (broken / "config.json").write_text(
            (folder / "config.json").read_text().replace('"n_layer": 3', '"n_layer": 4')
        )
    before = site.http.get("/api/v1/models").json()
    done = add_model(site, broken)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1 and done.stderr.strip().endswith(".")
    assert site.http.get("/api/v1/models").json() == before
