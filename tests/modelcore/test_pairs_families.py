"""Pairs of texts in every encoder that takes them, with and without segments, against the outside implementation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tokenizers
import torch
import transformers
from tokenizers import models, pre_tokenizers, processors

from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.analysis.trace import NextTokens, SiteTraced, TokensRead, token_types, trace
from modelcore.manifest import describe
from modelcore.opening import open_any
from modelcore.tokenizer import Tokenizer
from tests.modelcore.agreement import LOGIT_ERROR, MAP_ERROR
from tests.modelcore.shrunk import save_model
from tests.modelcore.shrunk_adapted import save as save_adapted

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "river", "##s", "bank", "who", "sat", "🙂", ".", "?"]
TEXT, PAIR = "The rivers 🙂 bank.", "🙂 who sat?"
SIZES = {"vocab_size": 61, "hidden_size": 30, "num_hidden_layers": 2, "num_attention_heads": 3}
SIZES |= {"intermediate_size": 44, "max_position_embeddings": 37}
FAMILIES: dict[str, tuple[Any, dict[str, Any]]] = {
    "bert": (transformers.BertForMaskedLM, SIZES),
    "bert-bare": (transformers.BertModel, SIZES),
    "electra": (transformers.ElectraForMaskedLM, SIZES | {"embedding_size": 14}),
    "distilbert": (
        transformers.DistilBertForMaskedLM,
        {"vocab_size": 61, "dim": 30, "n_layers": 2, "n_heads": 5, "hidden_dim": 44, "max_position_embeddings": 37},
    ),
    "roberta": (transformers.RobertaForMaskedLM, SIZES | {"type_vocab_size": 1, "pad_token_id": 1}),
}


def save_word_piece(folder: Path) -> Any:
    folder.joinpath("vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return transformers.BertTokenizer(str(folder / "vocab.txt"))


def save_roberta_tokenizer(folder: Path) -> Any:
    """Words as tokens, between RoBERTa's <s> and </s>."""
    words = {word: id_ for id_, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *TEXT.split(), *PAIR.split()])}
    inner = tokenizers.Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>"])
    inner.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    inner.save(str(folder / "tokenizer.json"))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, model_input_names=["input_ids", "attention_mask"]
    )


def save(name: str, folder: Path) -> tuple[Any, Any]:
    """The outside model and tokenizer of a folder."""
    kind, settings = FAMILIES[name]
    model = save_model(kind, kind.config_class(**settings), folder)
    return model, save_roberta_tokenizer(folder) if name == "roberta" else save_word_piece(folder)


def assert_traced_alike(folder: Path, outside: Any, inputs: Any, request: TraceRequest) -> None:
    """Ids, maps and results of our trace are those of the outside model on `inputs`."""
    checkpoint = open_any(folder)
    model = checkpoint.load()
    read, *rest = trace(model, request, checkpoint.tokenizer)
    assert isinstance(read, TokensRead) and read.encoding.ids == inputs["input_ids"][0].tolist()
    with torch.inference_mode():
        expected = outside(**inputs, output_attentions=True)
        given = model(torch.tensor([read.encoding.ids]), **token_types(read, model))
    maps = [event.map.tile() for event in rest if isinstance(event, SiteTraced)]
    assert len(maps) == len(expected.attentions)
    assert all((ours - theirs).abs().max() <= MAP_ERROR for ours, theirs in zip(maps, expected.attentions, strict=True))
    result = expected.logits if "logits" in expected else expected.last_hidden_state
    assert (given - result).abs().max() <= LOGIT_ERROR * result.abs().max()
    if model.config.output == "vocabulary":
        (next_tokens,) = [event for event in rest if isinstance(event, NextTokens)]
        chances = result[0].softmax(-1).gather(-1, next_tokens.ids.long())
        assert torch.allclose(next_tokens.probabilities, chances, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_pair_is_read_as_the_outside_implementation_reads_it(tmp_path: Path, name: str) -> None:
    outside, tokenizer = save(name, tmp_path)
    inputs = tokenizer(TEXT, PAIR, return_tensors="pt")
    if name == "distilbert":
        inputs.pop("token_type_ids", None)  # which its own tokenizer does not give
    assert_traced_alike(tmp_path, outside, inputs, TraceRequest(text=TEXT, text_pair=PAIR))
    assert describe(tmp_path)["pairs"] is True


def test_adapted_encoder_reads_a_pair_too(tmp_path: Path) -> None:
    outside = save_adapted("Albert", tmp_path)
    inputs = save_word_piece(tmp_path)(TEXT, PAIR, return_tensors="pt")
    assert_traced_alike(tmp_path, outside, inputs, TraceRequest(text=TEXT, text_pair=PAIR))


def test_model_with_fewer_kinds_than_its_tokenizer_tells_apart_says_so(tmp_path: Path) -> None:
    """An id beyond the table of kinds ends a process on a GPU, so that it must not get there."""
    save("bert", tmp_path)
    tokenizer = Tokenizer.load(tmp_path)._inner
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A [SEP] $B:2", special_tokens=[("[SEP]", 3)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    checkpoint = open_any(tmp_path)
    with pytest.raises(RequestError, match="3 kinds of segments apart, the model 2"):
        next(trace(checkpoint.load(), TraceRequest(text=TEXT, text_pair=PAIR), checkpoint.tokenizer))


def test_ids_take_no_second_text(tmp_path: Path) -> None:
    save("bert", tmp_path)
    checkpoint = open_any(tmp_path)
    with pytest.raises(RequestError, match="goes with a first one"):
        next(trace(checkpoint.load(), TraceRequest(ids=[5], text_pair=PAIR), checkpoint.tokenizer))


def test_model_that_hides_how_many_kinds_it_knows_takes_no_pairs(tmp_path: Path) -> None:
    """XLNet is told segments, and its config.json does not say how many: a guess would make other maps."""
    config = transformers.XLNetConfig(vocab_size=61, d_model=24, n_layer=2, n_head=3, d_inner=40)
    save_model(transformers.XLNetLMHeadModel, config, tmp_path)
    save_word_piece(tmp_path)
    assert describe(tmp_path)["pairs"] is False
