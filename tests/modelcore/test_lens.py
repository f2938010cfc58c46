"""The logit lens against transformers: each layer's hidden states through the outside model's own norm and head."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers

from modelcore.analysis import lens
from modelcore.analysis.lens import NONE, read_lens, unembedding
from modelcore.analysis.request import RequestError, TraceRequest
from modelcore.analysis.stream import open_stream, read_stream, save_stream
from modelcore.checkpoints.reader import open_checkpoint
from modelcore.config import HeadConfig, ImageConfig, ModelConfig, StackConfig
from modelcore.models.build import build
from tests.modelcore.shrunk import save_gpt2, save_marian, save_model

PROBABILITY_ERROR = 1e-4  # absolute, float32

PROSE = Path(lens.__file__).parents[1] / "zoo" / "prose"
LLAMA = transformers.LlamaConfig(
    vocab_size=59,
    hidden_size=24,
    intermediate_size=40,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
)
BERT = transformers.BertConfig(
    vocab_size=61,
    hidden_size=30,
    num_hidden_layers=2,
    num_attention_heads=3,
    intermediate_size=44,
    max_position_embeddings=37,
)
T5 = transformers.T5Config(
    vocab_size=73,
    d_model=24,
    d_kv=7,
    d_ff=50,
    num_layers=2,
    num_decoder_layers=3,
    num_heads=3,
    decoder_start_token_id=0,
)


def _gpt2(folder):
    outside = save_gpt2(folder)
    return outside, outside.transformer.ln_f, outside.lm_head


def _prose(folder):
    outside = transformers.GPT2LMHeadModel.from_pretrained(PROSE, attn_implementation="eager").eval()
    return outside, outside.transformer.ln_f, outside.lm_head


def _llama(folder):
    outside = save_model(transformers.LlamaForCausalLM, LLAMA, folder)
    return outside, outside.model.norm, outside.lm_head


def _bert(folder):
    outside = save_model(transformers.BertForMaskedLM, BERT, folder)
    return outside, torch.nn.Identity(), outside.cls


def _marian(folder):
    outside = save_marian(folder)
    return outside, torch.nn.Identity(), lambda x: outside.lm_head(x) + outside.final_logits_bias


def _t5(folder):
    outside = save_model(transformers.T5ForConditionalGeneration, T5, folder, spread=0.2)
    return outside, outside.decoder.final_layer_norm, lambda x: outside.lm_head(x * T5.d_model**-0.5)


OUTSIDE = {"gpt2": _gpt2, "llama": _llama, "bert": _bert, "marian": _marian, "t5": _t5, "prose": _prose}
PAIRED = ("marian", "t5")


def expected(name, folder, request):
    """Probabilities (L, N, V) in float64, by transformers alone."""
    outside, norm, head = OUTSIDE[name](folder)
    outside.double()
    ids = torch.tensor([request.ids])
    with torch.no_grad():
        if name in PAIRED:
            target = torch.tensor([request.target_ids])
            output = outside(ids, decoder_input_ids=target, output_hidden_states=True)
            states = output.decoder_hidden_states
        else:
            output = outside(ids, output_hidden_states=True)
            states = output.hidden_states
        # transformers' last hidden state has been through the final norm already.
        scores = [head(norm(state)) for state in states[:-1]] + [head(states[-1])]
        assert torch.allclose(scores[-1], output.logits)
    return torch.stack(scores)[:, 0].softmax(-1)


def read(name, folder, positions=None, top=5):
    torch.manual_seed(1)
    ids = torch.randint(3, 58, (11,)).tolist()
    request = TraceRequest(ids=ids, target_ids=torch.randint(3, 70, (7,)).tolist() if name in PAIRED else None)
    truth = expected(name, folder, request)
    model = open_checkpoint(PROSE if name == "prose" else folder).load()
    stream = read_stream(model, request)
    found = read_lens(model, stream, range(len(stream.ids)) if positions is None else positions, top)
    return request, truth, stream, found


@pytest.mark.parametrize("name", OUTSIDE)
def test_guesses_of_every_layer_are_transformers_own(tmp_path, name):
    _, probabilities, stream, found = read(name, tmp_path)
    assert found.ids.shape == (*probabilities.shape[:2], 5) == (len(stream.x_LNW), len(stream.ids), 5)
    outside = probabilities.gather(-1, found.ids.long())
    assert (found.probabilities - outside).abs().max() <= PROBABILITY_ERROR
    assert (found.probabilities - probabilities.topk(5).values).abs().max() <= PROBABILITY_ERROR


@pytest.mark.parametrize("name", OUTSIDE)
def test_true_token_has_its_probability_and_rank(tmp_path, name):
    request, probabilities, _, found = read(name, tmp_path)
    ids = request.target_ids or request.ids
    truth = ids if name == "bert" else [*ids[1:], NONE]
    assert found.truth.tolist() == truth
    known = len(ids) if name == "bert" else len(ids) - 1
    for position in range(known):
        outside = probabilities[:, position, truth[position]]
        assert (found.truth_probabilities[:, position] - outside).abs().max() <= PROBABILITY_ERROR
        # Where two tokens are as likely to the last digit, either may come first.
        least = (probabilities[:, position] > outside[:, None] + 1e-6).sum(-1)
        most = (probabilities[:, position] > outside[:, None] - 1e-6).sum(-1)
        ranks = found.truth_ranks[:, position]
        assert ((least <= ranks) & (ranks <= most)).all()
    if known < len(ids):
        assert set(found.truth_ranks[:, -1].tolist()) == {NONE}
        assert set(found.truth_probabilities[:, -1].tolist()) == {0.0}


def test_window_read_in_small_parts_is_that_part_of_the_whole(tmp_path, monkeypatch):
    *_, whole = read("gpt2", tmp_path)
    monkeypatch.setattr(lens, "SCORES_AT_ONCE", 83 * 2)
    *_, part = read("gpt2", tmp_path, positions=range(3, 8))
    for name in ("ids", "truth_ranks"):
        assert torch.equal(getattr(part, name), getattr(whole, name)[:, 3:8])
    assert torch.allclose(part.probabilities, whole.probabilities[:, 3:8], atol=1e-6)
    assert torch.equal(part.truth, whole.truth[3:8])


def test_last_layer_says_what_the_trace_says(tmp_path):
    """A target that nobody gave is written first, as a trace does."""
    save_marian(tmp_path)
    model = open_checkpoint(tmp_path).load()
    stream = read_stream(model, TraceRequest(ids=[5, 6, 7, 0]))
    assert stream.sequence == "decoder"
    with torch.inference_mode():
        logits = model(torch.tensor([[5, 6, 7, 0]]), torch.tensor([stream.ids]))[0]
    found = read_lens(model, stream, range(len(stream.ids)), top=71)
    assert torch.allclose(found.probabilities[-1], logits.softmax(-1).sort(descending=True).values, atol=1e-5)


def test_picture_is_classified_layer_by_layer():
    image = ImageConfig(height=8, width=12, patch_height=4, patch_width=4)
    head = HeadConfig(output="classes", classes=3)
    config = ModelConfig(vocabulary=0, positions=7, width=16, encoder=StackConfig(2, 2, 24), image=image, head=head)
    torch.manual_seed(0)
    model, pixels = build(config).eval(), torch.randn(1, 3, 8, 12)
    found = read_lens(model, read_stream(model, TraceRequest(pixels=pixels)), range(1), top=5)
    assert found.guessed == "class"
    assert found.ids.shape == (3, 1, 3)
    with torch.inference_mode():
        classes = model(pixels)[0].softmax(-1).sort(descending=True)
    assert torch.allclose(found.probabilities[-1, 0], classes.values, atol=1e-6)
    assert found.truth.tolist() == [NONE]


@pytest.mark.parametrize("positions", [range(3, 3), range(5, 12), range(-1, 2), range(0, 4, 2)])
def test_positions_that_leave_the_text_are_refused(tmp_path, positions):
    with pytest.raises(RequestError, match="Positions go from 0 to 11"):
        read("gpt2", tmp_path, positions=positions)


def test_model_without_a_head_is_refused():
    config = ModelConfig(vocabulary=9, positions=9, width=8, encoder=StackConfig(1, 1, 8), head=HeadConfig("hidden"))
    with pytest.raises(RequestError) as refused:
        unembedding(build(config).eval())
    assert refused.value.code == "no_lens"


def test_stored_stream_is_read_as_it_was(tmp_path):
    *_, stream, _ = read("gpt2", tmp_path)
    save_stream(tmp_path / "stream.safetensors", stream)
    again = open_stream(tmp_path / "stream.safetensors")
    assert (again.sequence, again.ids) == (stream.sequence, stream.ids)
    assert torch.equal(again.x_LNW, stream.x_LNW)


def test_nothing_is_kept_of_a_pass_that_nobody_watches(tmp_path):
    save_gpt2(tmp_path)
    model, seen = open_checkpoint(tmp_path).load(), []
    with torch.inference_mode():
        plain = model(torch.tensor([[1, 2, 3]]))
        watched = model(torch.tensor([[1, 2, 3]]), stream_tap=lambda *at: seen.append(at[:2]))
    assert torch.equal(plain, watched)
    assert seen == [("decoder", layer) for layer in range(4)]
