"""Which keys each layer's pattern lets a token see, and texts packed or padded in one sequence."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kernels.spec.random_blocks import draw_random_blocks
from modelcore.config import ModelConfig, Pattern, StackConfig
from modelcore.layers.cache import Cache
from tests.modelcore import by_hand
from tests.modelcore.by_hand import assert_equal, build_drawn

TOKENS = 14
STACK = StackConfig(layers=1, heads=2, feedforward_width=16)
DECODER = ModelConfig(vocabulary=19, positions=32, width=8, decoder=STACK, position_encoding="none")
ENCODER = replace(DECODER, decoder=None, encoder=STACK)
IDS = torch.randint(0, 19, (1, TOKENS), generator=torch.Generator().manual_seed(0))
DRAWN = draw_random_blocks(5, 2, 7)[0].tolist()

# For each pattern: does the token at i see the one at j, in an encoder, and, besides j <= i, in a decoder?
SEEN = {
    "full": (Pattern(), lambda i, j: True, lambda i, j: True),
    "window": (Pattern(window=3), lambda i, j: abs(i - j) <= 3, lambda i, j: i - j < 3),
    "strided": (Pattern(stride=4), lambda i, j: (i - j) % 4 == 0, lambda i, j: (i - j) % 4 == 0),
    "window and stride": (
        Pattern(window=2, stride=5),
        lambda i, j: abs(i - j) <= 2 or (i - j) % 5 == 0,
        lambda i, j: i - j < 2 or (i - j) % 5 == 0,
    ),
    "global tokens": (
        Pattern(window=1, global_tokens=2),
        lambda i, j: abs(i - j) <= 1 or i < 2 or j < 2,
        lambda i, j: i == j or i < 2 or j < 2,
    ),
    "blocks": (
        Pattern(window=1, block=3),
        lambda i, j: abs(i // 3 - j // 3) <= 1,
        lambda i, j: i // 3 == j // 3,
    ),
}


def map_of(config, pattern):
    """The pattern's map of a model that would give every key some weight, [Q, K], and the model."""
    stack = replace(STACK, patterns=(pattern,))
    model = build_drawn(replace(config, **{config.architecture: stack}))
    maps = []
    model(IDS, tap=maps.append)
    return maps[0].tile()[0, 0], model


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
def test_token_sees_what_its_pattern_says_and_nothing_else(name, config):
    pattern, in_encoder, in_decoder = SEEN[name]
    found, model = map_of(config, pattern)
    causal = config.decoder is not None
    rule = in_decoder if causal else in_encoder
    visible = torch.tensor([[rule(i, j) and (j <= i or not causal) for j in range(TOKENS)] for i in range(TOKENS)])
    block = (model.decoder if causal else model.encoder).blocks[0]
    norm = block.self_attention_residual.norm
    x = by_hand.layer_norm(model.tokens.weight[IDS], norm.weight, norm.bias)
    expected = by_hand.attend(block.self_attention, x, visible=visible)[1][0, 0]
    assert_equal(found.double(), expected, 1e-6)


def test_prefix_is_seen_by_all_and_what_follows_stays_causal():
    """A prefix language model: T5, 3.2.1."""
    found, _ = map_of(DECODER, Pattern(prefix=4))
    visible = by_hand.causal(TOKENS) | (torch.arange(TOKENS) < 4)
    assert torch.equal(found > 0, visible)


def test_big_bird_sees_neighbours_global_tokens_and_blocks_drawn_from_its_seed():
    pattern = Pattern(window=1, global_tokens=1, random_blocks=2, block=3, seed=7)
    found, _ = map_of(ENCODER, pattern)
    rule = [
        [abs(i // 3 - j // 3) <= 1 or i < 1 or j < 1 or j // 3 in DRAWN[i // 3] for j in range(TOKENS)]
        for i in range(TOKENS)
    ]
    assert torch.equal(found > 0, torch.tensor(rule))
    again, _ = map_of(ENCODER, pattern)
    other, _ = map_of(ENCODER, replace(pattern, seed=8))
    assert torch.equal(found, again) and not torch.equal(found > 0, other > 0)


def test_each_layer_has_its_own_pattern():
    patterns = (Pattern(window=2), Pattern(), Pattern(stride=3))
    model = build_drawn(replace(DECODER, decoder=StackConfig(3, 2, 16, patterns=patterns)))
    maps = []
    model(IDS, tap=maps.append)
    seen = [int((map_.tile()[0, 0, -1] > 0).sum()) for map_ in maps]
    assert seen == [2, TOKENS, 5]


@pytest.mark.parametrize("seed", range(3))
def test_causal_random_blocks_stay_as_the_text_grows(seed):
    """They were drawn anew for each number of blocks: a longer text changed what its older tokens saw."""
    whole = draw_random_blocks(20, 2, seed, heads=2, causal=True)
    for blocks in (2, 3, 11):
        assert torch.equal(draw_random_blocks(blocks, 2, seed, heads=2, causal=True), whole[:, :blocks])
    assert (whole[:, 1:] <= torch.arange(1, 20)[:, None]).all()
    assert (whole[..., 0] != whole[..., 1]).all()


@pytest.mark.parametrize(
    "pattern",
    [pattern for pattern, _, _ in SEEN.values()] + [Pattern(random_blocks=2, block=2, seed=5)],
    ids=[*SEEN, "random blocks"],
)
def test_decoder_reads_a_text_token_by_token_as_at_once(pattern):
    _, model = map_of(DECODER, pattern)
    cache = Cache()
    single = [model(IDS[:, at : at + 1], cache=cache) for at in range(TOKENS)]
    assert_equal(torch.cat(single, dim=1), model(IDS))


ENCODINGS = ["none", "learned", "sinusoidal", "relative_keys", "t5", "alibi", "rotary"]
DOCUMENTS = torch.tensor([[0] * 5 + [1] * 6 + [2] * 3])


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
@pytest.mark.parametrize("pattern", [Pattern(), Pattern(window=3), Pattern(window=2, stride=3)], ids=str)
def test_texts_packed_in_one_sequence_are_read_as_if_alone(config, encoding, pattern):
    """Positions counted on from text to text, so that tables gave all but the first other vectors."""
    stack = replace(STACK, layers=2, patterns=(pattern,))
    model = build_drawn(replace(config, position_encoding=encoding, **{config.architecture: stack}))
    packed = model(IDS, documents_BK=DOCUMENTS)
    alone = [model(IDS[:, DOCUMENTS[0] == document]) for document in range(3)]
    # The angles of rotary positions are float32, and those of a later text start further on.
    assert_equal(packed, torch.cat(alone, dim=1), 1e-4 if encoding == "rotary" else by_hand.EXACT)


def test_packed_sequence_may_be_longer_than_the_table_of_positions():
    model = build_drawn(replace(DECODER, position_encoding="learned", positions=6))
    assert model(IDS, documents_BK=DOCUMENTS).shape == (1, TOKENS, 19)


def test_rows_of_a_batch_are_packed_each_in_its_own_way():
    model = build_drawn(replace(DECODER, position_encoding="learned"))
    rows = torch.stack([DOCUMENTS[0], torch.tensor([4] * 9 + [2] * 5)])
    together = model(IDS.expand(2, -1), documents_BK=rows)
    assert_equal(together, torch.cat([model(IDS, documents_BK=row[None]) for row in rows]))


@pytest.mark.parametrize("config", [ENCODER, DECODER], ids=["encoder", "decoder"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_padded_on_the_right_is_read_as_if_alone(config, encoding):
    model = build_drawn(replace(config, position_encoding=encoding))
    padded = torch.cat([IDS[:, :9], torch.zeros(1, 5, dtype=torch.long)], dim=1)
    together = model(torch.cat([padded, IDS]), lengths_B=torch.tensor([9, TOKENS]))
    assert_equal(together[:1, :9], model(IDS[:, :9]))
    assert_equal(together[1:], model(IDS))
