"""`python -m modelcore generate`: text as it comes, JSON for scripts, and one line where the input is at fault."""

from __future__ import annotations

import json

import pytest
import torch

from modelcore.checkpoints.reader import open_checkpoint
from modelcore.cli import main
from modelcore.generation.beams import BeamSearch, LengthPenalty, beam_search
from modelcore.generation.sampling import Sampling
from modelcore.generation.steps import generate
from modelcore.tokenizer import train_byte_level_bpe
from tests.modelcore.shrunk import save_gpt2, save_marian


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shrunk")
    save_gpt2(folder, vocab_size=280)
    train_byte_level_bpe(["the house of the lord"] * 9, 280).save(folder / "tokenizer.json")
    return folder


@pytest.fixture
def said(capsys):
    def run(folder, *arguments: str) -> str:
        assert main(["generate", str(folder), *arguments]) == 0
        return capsys.readouterr().out

    return run


def test_text_that_goes_on_from_the_prompt_is_printed(gpt2, said):
    checkpoint = open_checkpoint(gpt2)
    prompt = checkpoint.tokenizer.encode("the house").ids
    sampling = Sampling(temperature=0.5, top_k=9, seed=2, max_tokens=12)
    steps = generate(checkpoint.load(), prompt, sampling, tokenizer=checkpoint.tokenizer)
    options = ["--temperature", "0.5", "--top-k", "9", "--seed", "2", "--max-tokens", "12"]
    text = said(gpt2, "--prompt", "the house", *options)
    assert text == "".join(step.written for step in steps) + "\n"
    assert said(gpt2, "--prompt", "the house", *options, "--stop", text[4:6]) == text[: text.index(text[4:6])] + "\n"


def test_json_has_an_object_for_each_step(gpt2, said):
    lines = said(
        gpt2, "--ids", "5,6,7", "--json", "--alternatives", "3", "--max-tokens", "4", "--ban", "0"
    ).splitlines()
    steps = [json.loads(line) for line in lines]
    logits = open_checkpoint(gpt2).load()(torch.tensor([[5, 6, 7]]))[0, -1]
    assert [(step["place"], step["finished"]) for step in steps] == [(3, None), (4, None), (5, None), (6, "length")]
    assert steps[0]["id"] == steps[0]["alternatives"][0]["id"] == logits.argmax()
    assert steps[0]["probability"] == pytest.approx(logits.softmax(-1).max().item())
    assert {len(step["alternatives"]) for step in steps} == {3}


def test_encoder_decoder_writes_from_its_source(tmp_path, said):
    save_marian(tmp_path)
    steps = generate(open_checkpoint(tmp_path).load(), [], Sampling(max_tokens=6), source=[5, 6])
    written = " ".join(str(step.id) for step in steps)
    assert said(tmp_path, "--ids", "5,6", "--max-tokens", "6").split() == written.split()


def test_beams_print_the_best_text(gpt2, said):
    checkpoint = open_checkpoint(gpt2)
    found = beam_search(checkpoint.load(), [5, 6], BeamSearch(3, LengthPenalty("power", 1.0), max_tokens=5))
    options = ["--ids", "5,6", "--beams", "3", "--length-penalty", "power:1", "--max-tokens", "5"]
    assert said(gpt2, *options) == checkpoint.tokenizer.decode(list(found.hypotheses[0].ids)) + "\n"
    *steps, last = (json.loads(line) for line in said(gpt2, *options, "--json").splitlines())
    assert [node["id"] for step in steps for node in step["kept"]] == [node.id for node in found.tree]
    assert [tuple(text["ids"]) for text in last["hypotheses"]] == [text.ids for text in found.hypotheses]


def test_end_token_that_the_tokenizer_appends_is_not_gone_on_from(tmp_path, said):
    save_gpt2(tmp_path, vocab_size=280)
    tokenizer = train_byte_level_bpe(["the house of the lord"] * 9, 280, special=["<end>"], end_token="<end>")
    tokenizer.save(tmp_path / "tokenizer.json")
    first = json.loads(said(tmp_path, "--prompt", "the house", "--json", "--max-tokens", "1"))
    assert first["place"] == len(tokenizer.encode("the house")) - 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--ids", "280"], "Token id 280 at place 0 is outside"),
        (["--ids", "5", "--temperature", "0", "--top-p", "0.9"], "temperature 0 takes the likeliest token"),
        (["--ids", "5", "--temperature", "-1"], "temperature is -1.0"),
        (["--ids", "5", "--stop-token", "280"], "Token id 280 in stop_tokens"),
        (["--ids", "5", "--beams", "0"], "beams is 0"),
        (["--ids", "5", "--beams", "2", "--top-k", "5"], "--top-k does not go together with --beams"),
        (["--ids", "5", "--length-penalty", "1"], "--length-penalty is for a beam search"),
        (["--ids", "5", "--json", "--alternatives", "-1"], "-1 alternatives cannot be told"),
        (["--ids", ",".join("5" * 65)], "The prompt fills all 65 positions"),
        (["--prompt", ""], "nothing to read"),
    ],
)
def test_bad_request_is_one_line(gpt2, capsys, arguments, error):
    assert main(["generate", str(gpt2), *arguments]) == 2
    told = capsys.readouterr().err
    assert error in told
    assert told.count("\n") == 1


def test_length_penalty_of_words_is_refused_with_an_example(gpt2, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["generate", str(gpt2), "--ids", "5", "--beams", "2", "--length-penalty", "long"])
    assert stopped.value.code == 2
    assert "write 0.6, or power:1" in capsys.readouterr().err
