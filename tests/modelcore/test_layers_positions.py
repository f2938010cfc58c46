"""Every encoding of positions against its formula in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS
from transformers.models.t5.modeling_t5 import T5Attention

from modelcore.config import (
    DynamicScaling,
    LinearScaling,
    Llama3Scaling,
    LongScaling,
    ModelConfig,
    Rotary,
    StackConfig,
    YarnScaling,
)
from modelcore.layers.positional import alibi_slopes, sinusoids
from modelcore.layers.rotary import attention_factor, frequencies
from tests.modelcore import by_hand
from tests.modelcore.by_hand import assert_equal, build_drawn

STACK = StackConfig(layers=2, heads=3, feedforward_width=20, head_width=8)
ENCODER = ModelConfig(vocabulary=23, positions=16, width=12, encoder=STACK)
DECODER = replace(ENCODER, encoder=None, decoder=STACK)
IDS = torch.randint(0, 23, (2, 13), generator=torch.Generator().manual_seed(0))
QUERY, KEY = torch.arange(13)[:, None], torch.arange(13)
ENCODINGS = ["none", "learned", "sinusoidal", "relative_keys", "t5", "alibi", "rotary"]
# Angles are float32, as in every trained model.
TURNED = 1e-4


def first_map(config, scores, *, rows=None, bound=1e-6):
    """Compares the map of the first layer with a softmax of `scores(attention layer, head, q, k)`."""
    maps = []
    model = build_drawn(config)
    model(IDS, tap=maps.append)
    stack = model.decoder if config.decoder else model.encoder
    layer, residual = stack.blocks[0].self_attention, stack.blocks[0].self_attention_residual
    x = model.tokens.weight[IDS]
    x = by_hand.layer_norm(x if rows is None else x + rows(model), residual.norm.weight, residual.norm.bias)
    by_head = [scores(layer, head, q, k) for head, (q, k, _) in enumerate(by_hand.project(layer, x))]
    visible = by_hand.causal(13) if config.decoder else None
    _, expected = by_hand.attend(layer, x, visible=visible, scores=by_head)
    assert_equal(maps[0].tile().double(), expected, bound)


def dot(_layer, _head, q, k):
    return by_hand.dot(q, k) / 8**0.5


@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_no_positions_sinusoids_and_learned_rows_are_added_to_tokens(config):
    first_map(replace(config, position_encoding="none"), dot)
    first_map(replace(config, position_encoding="sinusoidal"), dot, rows=lambda _: sinusoids(13, 12).double())
    embedding = "decoder_embedding" if config.decoder else "encoder_embedding"
    for offset in (0, 2):
        learned = replace(config, position_offset=offset)
        first_map(learned, dot, rows=lambda model, at=offset: getattr(model, embedding).positions.weight[at : at + 13])


@pytest.mark.parametrize("encoding", ["learned", "sinusoidal"])
@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_text_past_the_end_of_a_table_is_refused(config, encoding):
    """A continuation that met the table's last row alone was given that row for every token."""
    model = build_drawn(replace(config, position_encoding=encoding))
    model(torch.zeros(1, 16, dtype=torch.long))
    with pytest.raises(ValueError, match="17 tokens; this model knows 16 positions"):
        model(torch.zeros(1, 17, dtype=torch.long))


@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_relative_keys_are_shaws(config):
    """q_i · (k_j + a_(j - i)), distances clipped at 3: Shaw et al. 2018, equations 4 and 5."""

    def scores(layer, _head, q, k):
        row_QK = (KEY - QUERY).clamp(-3, 3) + 3
        relative_QKD = layer.relative_keys[row_QK]
        return torch.einsum("bqd,bqkd->bqk", q, k[:, None] + relative_QKD) / 8**0.5

    first_map(replace(config, position_encoding="relative_keys", relative_distance=3), scores)


@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_t5_adds_one_learned_number_a_bucket_and_head(config):
    bucket_QK = T5Attention._relative_position_bucket(KEY - QUERY, config.encoder is not None, 8, 12)
    config = replace(config, position_encoding="t5", t5_buckets=8, t5_max_distance=12, attention_scale=1.0)
    stack = build_drawn(config).encoder if config.encoder else build_drawn(config).decoder
    first_map(config, lambda _layer, head, q, k: by_hand.dot(q, k) + stack.position_bias[bucket_QK, head])


@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_alibi_takes_away_a_slope_for_each_token_of_distance(config):
    slopes = alibi_slopes(3).double()
    first_map(
        replace(config, position_encoding="alibi"),
        lambda _layer, head, q, k: by_hand.dot(q, k) / 8**0.5 - slopes[head] * (QUERY - KEY).abs(),
    )


def test_alibi_slopes_are_the_papers():
    """1/2 … 1/256 for 8 heads; 12 heads take every other of 16's slopes after those of 8."""
    assert alibi_slopes(8).tolist() == [2**-n for n in range(1, 9)]
    assert alibi_slopes(12).tolist() == pytest.approx(
        [2**-n for n in range(1, 9)] + [2 ** -(n + 0.5) for n in range(4)]
    )
    assert alibi_slopes(16).tolist() == pytest.approx([2 ** (-n / 2) for n in range(1, 17)])


@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
@pytest.mark.parametrize("width", [None, 4])
def test_rotary_turns_pairs_as_complex_numbers(config, width):
    """(q_i e^(i m θ)) · conj(k_i e^(i n θ)), Su et al. 2021, equation 12; dimensions past `width` stay."""
    pairs = (width or 8) // 2
    theta = 50.0 ** -(torch.arange(pairs, dtype=torch.float64) / pairs)

    def turned(x):
        angle = torch.arange(13, dtype=torch.float64)[:, None] * theta
        z = torch.complex(x[..., :pairs], x[..., pairs : 2 * pairs]) * torch.polar(torch.ones_like(angle), angle)
        return torch.cat([z.real, z.imag, x[..., 2 * pairs :]], -1)

    rotary = replace(config, position_encoding="rotary", rotary=Rotary(50.0, width))
    first_map(rotary, lambda _layer, _head, q, k: by_hand.dot(turned(q), turned(k)) / 8**0.5, bound=TURNED)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_padded_on_the_left_is_read_as_if_alone(encoding):
    model = build_drawn(replace(DECODER, position_encoding=encoding))
    padded = torch.cat([torch.zeros(2, 3, dtype=torch.long), IDS], dim=1)
    starts = torch.tensor([3, 0])
    logits = model(padded, starts_B=starts)
    assert_equal(logits[:1, 3:], model(IDS[:1]), TURNED if encoding == "rotary" else by_hand.EXACT)
    assert_equal(logits[1:], model(padded[1:]))


SCALINGS = {
    "linear": ({"factor": 4.0}, LinearScaling(4.0)),
    "dynamic": ({"factor": 2.0}, DynamicScaling(2.0, 64)),
    "yarn": (
        {"factor": 4.0, "original_max_position_embeddings": 64, "beta_fast": 8.0, "attention_factor": 1.3},
        YarnScaling(4.0, 64, beta_fast=8.0, attention_factor=1.3),
    ),
    "llama3": (
        {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64},
        Llama3Scaling(8.0, 1.0, 4.0, 64),
    ),
    "longrope": (
        {
            "short_factor": [1.0 + i / 10 for i in range(8)],
            "long_factor": [1.0 + i for i in range(8)],
            "original_max_position_embeddings": 64,
            "attention_factor": 1.2,
        },
        LongScaling(tuple(1.0 + i / 10 for i in range(8)), tuple(1.0 + i for i in range(8)), 64, 1.2),
    ),
}


@pytest.mark.parametrize("name", SCALINGS)
@pytest.mark.parametrize("length", [10, 64, 100])
def test_scaled_frequencies_are_the_outside_implementations_bit_for_bit(name, length):
    parameters, scaling = SCALINGS[name]
    parameters = {"rope_type": name, "rope_theta": 500.0} | parameters
    outside = LlamaConfig(hidden_size=64, num_attention_heads=4, max_position_embeddings=64, rope_parameters=parameters)
    expected, factor = ROPE_INIT_FUNCTIONS[name](outside, "cpu", seq_len=length)
    rotary = Rotary(500.0, scaling=scaling)
    assert torch.equal(frequencies(rotary, 16, length), expected)
    assert attention_factor(rotary) == factor
