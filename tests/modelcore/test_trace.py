"""A trace: its events in order, its maps against the model's own, and requests that are refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from modelcore.analysis.capture import open_capture, save_capture
from modelcore.analysis.maps import overview_cell
from modelcore.analysis.trace import NextTokens, RequestError, SiteTraced, TokensRead, TraceRequest, trace
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.config import ModelConfig, StackConfig
from modelcore.models.build import build
from modelcore.tokenizer import train_byte_level_bpe
from tests.modelcore.shrunk import save_gpt2, save_marian

CONFIG = ModelConfig(
    vocabulary=300, positions=200, width=24, decoder=StackConfig(layers=3, heads=2, feedforward_width=48)
)


@pytest.fixture(scope="module")
def decoder():
    torch.manual_seed(0)
    return build(CONFIG).eval()


@pytest.fixture(scope="module")
def tokenizer():
    return train_byte_level_bpe(["the house of the lord"] * 9, 280)


@pytest.fixture
def marian(tmp_path):
    save_marian(tmp_path)
    return open_checkpoint(tmp_path).load()


def test_decoder_yields_tokens_then_sites_then_probabilities(decoder, tokenizer):
    events = list(trace(decoder, TraceRequest(text="the house of the lord"), tokenizer))
    assert [type(event) for event in events] == [TokensRead, SiteTraced, SiteTraced, SiteTraced, NextTokens]
    assert (events[0].sequence, events[0].origin) == ("decoder", "given")
    assert [str(event.map.site) for event in events[1:-1]] == [f"decoder.self.{layer}" for layer in range(3)]
    assert events[0].encoding.texts[:2] == ["the", " house"]


@pytest.mark.parametrize("tokens", [1, 64, 65, 200])
def test_rows_sum_to_one_and_the_overview_is_their_maximum(decoder, tokens):
    ids = torch.randint(0, 300, (tokens,)).tolist()
    for event in trace(decoder, TraceRequest(ids=ids)):
        if not isinstance(event, SiteTraced):
            continue
        tile = event.map.tile()
        assert torch.allclose(tile.sum(-1), torch.ones(1, 2, tokens), atol=1e-5)
        cell = event.overview.cell
        assert max(tokens / cell, 1) <= 64 < max(tokens / cell * 2, 65)
        pooled = torch.nn.functional.max_pool2d(tile, cell, ceil_mode=True)[0]
        assert torch.allclose(event.overview.maximum, pooled, atol=1e-6)
        assert {len(values) for values in event.measures.values()} == {2}


def test_overview_cells_are_the_smallest_power_of_two_that_fits():
    assert [overview_cell(n, 1) for n in (1, 64, 65, 128, 129)] == [1, 1, 2, 2, 4]
    assert overview_cell(3, 1000) == 16


def test_later_layers_have_not_run_when_a_site_arrives(decoder):
    """What makes the grid fill layer by layer: each site is handed over before the next layer starts."""
    ran: list[int] = []
    hooks = [
        block.register_forward_hook(lambda *_, layer=layer: ran.append(layer))
        for layer, block in enumerate(decoder.decoder.blocks)
    ]
    events = trace(decoder, TraceRequest(ids=[1, 2, 3]))
    seen = [(event.map.site.layer, list(ran)) for event in events if isinstance(event, SiteTraced)]
    for hook in hooks:
        hook.remove()
    assert seen == [(0, [0]), (1, [0, 1]), (2, [0, 1, 2])]


def test_probabilities_are_a_softmax_over_the_whole_vocabulary(decoder):
    ids = [5, 6, 7]
    *_, last = trace(decoder, TraceRequest(ids=ids))
    expected = decoder(torch.tensor([ids]))[0].softmax(-1)
    assert last.ids.shape == last.probabilities.shape == (3, 50)
    assert (last.ids.dtype, last.probabilities.dtype) == (torch.int32, torch.float32)
    assert torch.allclose(expected.gather(1, last.ids.long()), last.probabilities, atol=1e-6)
    assert torch.equal(last.ids[:, 0].long(), expected.argmax(-1))


def test_small_vocabulary_is_listed_whole(tmp_path):
    save_gpt2(tmp_path, vocab_size=9)
    checkpoint = open_checkpoint(tmp_path)
    *_, last = trace(checkpoint.load(), TraceRequest(ids=[1]))
    assert last.ids.shape == (1, 9)
    assert last.probabilities.sum().item() == pytest.approx(1)


def test_encoder_decoder_writes_a_target_and_is_traced_reading_it(marian, tmp_path):
    import transformers

    events = list(trace(marian, TraceRequest(ids=[5, 6, 7, 0])))
    assert [(event.sequence, event.origin) for event in events[:2]] == [("encoder", "given"), ("decoder", "generated")]
    assert [str(event.map.site) for event in events[2:-1]] == [str(site) for site in marian.config.sites()]
    outside = transformers.MarianMTModel.from_pretrained(tmp_path)
    expected = outside.generate(
        torch.tensor([[5, 6, 7, 0]]), max_length=40, num_beams=1, do_sample=False, forced_eos_token_id=None
    )
    ids = events[1].encoding.ids
    assert ids == expected[0, : len(ids)].tolist()
    assert events[-1].ids.shape[0] == len(ids)


def test_given_target_is_read_after_the_start_token(marian, tokenizer):
    request = TraceRequest(ids=[5, 0], target_ids=[70, 3, 4])
    events = list(trace(marian, request))
    assert (events[1].origin, events[1].encoding.ids) == ("given", [70, 3, 4])
    cross = next(event.map for event in events if isinstance(event, SiteTraced) and event.map.site.kind == "cross")
    assert (cross.queries, cross.keys) == (3, 2)


def test_text_target_begins_with_the_start_token_and_leaves_the_end_out():
    tokenizer = train_byte_level_bpe(["one 1"] * 9, 262, special=["</s>", "<pad>"], end_token="</s>")
    stack = StackConfig(layers=1, heads=2, feedforward_width=8)
    config = ModelConfig(
        vocabulary=300, positions=20, width=8, decoder=stack, encoder=stack, start_token=1, end_token=0
    )
    events = trace(build(config).eval(), TraceRequest(text="one", target="1"), tokenizer)
    source, target = next(events).encoding, next(events).encoding
    assert (source.texts[-1], source.special[-1]) == ("</s>", True)
    assert (target.texts, target.offsets, target.special) == (["<pad>", "1"], [(0, 0), (0, 1)], [True, False])


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (TraceRequest(text=""), "empty_text"),
        (TraceRequest(ids=[]), "empty_text"),
        (TraceRequest(), "text_or_ids"),
        (TraceRequest(text="a", ids=[1]), "text_or_ids"),
        (TraceRequest(ids=[1, 300]), "id_out_of_range"),
        (TraceRequest(ids=[-1]), "id_out_of_range"),
        (TraceRequest(ids=[1] * 201), "text_too_long"),
        (TraceRequest(text="x" * 100_000), "text_too_long"),
        (TraceRequest(text="a\ud83d"), "bad_text"),
        (TraceRequest(ids=[1], target="b"), "no_target"),
    ],
)
def test_request_that_the_model_cannot_answer_is_refused(decoder, tokenizer, request_, code):
    with pytest.raises(RequestError) as refused:
        list(trace(decoder, request_, tokenizer))
    assert refused.value.code == code
    assert len(refused.value.message) <= 300


def test_refusals_name_the_numbers(decoder):
    with pytest.raises(RequestError, match=r"This text has 201 tokens; the model reads at most 200\."):
        next(trace(decoder, TraceRequest(ids=[1] * 201)))
    with pytest.raises(RequestError, match=r"Token id 300 at place 1 .* 0 to 299"):
        next(trace(decoder, TraceRequest(ids=[1, 300])))
    with pytest.raises(RequestError, match="without a tokenizer"):
        next(trace(decoder, TraceRequest(text="a")))


def test_long_target_is_refused_before_anything_is_read(marian):
    with pytest.raises(RequestError) as refused:
        next(trace(marian, TraceRequest(ids=[1], target_ids=[1] * 41)))
    assert refused.value.code == "text_too_long"


def test_trace_leaves_gradients_as_they_were(decoder):
    for _ in trace(decoder, TraceRequest(ids=[1, 2])):
        assert torch.is_grad_enabled()
        assert not torch.is_inference_mode_enabled()


def test_capture_gives_back_the_same_rectangles(marian, tmp_path):
    request = TraceRequest(ids=[5, 6, 7, 0], target_ids=[70, 3, 4])
    maps = [event.map for event in trace(marian, request) if isinstance(event, SiteTraced)]
    for _ in range(2):  # the second one takes the place of the first
        save_capture(tmp_path / "run", maps)
    opened = open_capture(tmp_path / "run")
    assert list(opened) == [str(site) for site in marian.config.sites()]
    for map_ in maps:
        again = opened[str(map_.site)]
        assert torch.equal(again.tile(range(1, 3), range(1), [1]), map_.tile(range(1, 3), range(1), [1]))
        assert torch.equal(again.pool(2, heads=[1]).maximum, map_.pool(2).maximum[:, [1]])
        assert (again.site, again.implementation) == (map_.site, map_.implementation)
    assert [path.name for path in tmp_path.glob("*run*")] == ["run"]


def test_sites_may_share_a_tensor(decoder, tmp_path):
    """A capture failed where two sites had one set of token edges between them: the format refuses shared memory."""
    events = trace(decoder, TraceRequest(ids=[1, 2, 3]))
    first, second, _ = (event.map for event in events if isinstance(event, SiteTraced))
    spec = replace(first.spec, key_lengths=torch.tensor([3]))
    maps = [replace(first, spec=spec), replace(second, spec=spec, k_BGKD=first.k_BGKD, lse_BHQ=first.lse_BHQ[:])]
    save_capture(tmp_path / "run", maps)
    opened = open_capture(tmp_path / "run")
    for map_ in maps:
        assert torch.equal(opened[str(map_.site)].tile(), map_.tile())


def test_missing_capture_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        open_capture(tmp_path / "absent")


def test_capture_that_cannot_be_written_leaves_nothing(decoder, tmp_path, monkeypatch):
    maps = [event.map for event in trace(decoder, TraceRequest(ids=[1])) if isinstance(event, SiteTraced)]

    def full_disk(*_):
        raise OSError("no space left")

    monkeypatch.setattr("modelcore.analysis.capture.save_file", full_disk)
    with pytest.raises(OSError, match="no space"):
        save_capture(tmp_path / "run", maps)
    assert list(tmp_path.iterdir()) == []
