"""Addresses of attention sites, and configurations that no model can have."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelcore.config import (
    AttentionSite,
    Experts,
    HeadConfig,
    ImageConfig,
    LinearScaling,
    LongScaling,
    ModelConfig,
    Pattern,
    Rotary,
    StackConfig,
)

STACK = StackConfig(layers=2, heads=3, feedforward_width=8)
MODEL = {"vocabulary": 9, "positions": 9, "width": 6, "decoder": STACK}


@pytest.mark.parametrize("text", ["encoder.self.0", "decoder.self.31", "decoder.cross.1"])
def test_site_reads_what_it_writes(text):
    assert str(AttentionSite.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "decoder",
        "decoder.self",
        "decoder.self.-1",
        "decoder.self.x",
        "encoder.cross.0",
        "a.self.1",
        "décoder.self.٣",
    ],
)
def test_site_refuses_what_is_no_address(text):
    with pytest.raises(ValueError, match=r"decoder\.self\.3"):
        AttentionSite.parse(text)


def test_sites_come_in_the_order_of_the_forward_pass():
    config = ModelConfig(vocabulary=9, positions=9, width=6, decoder=STACK, encoder=STACK, start_token=0)
    assert [str(site) for site in config.sites()] == [
        "encoder.self.0",
        "encoder.self.1",
        "decoder.self.0",
        "decoder.cross.0",
        "decoder.self.1",
        "decoder.cross.1",
    ]


IMAGE = ImageConfig(8, 8, 4, 4)
VISION = {"decoder": None, "encoder": STACK, "image": IMAGE, "vocabulary": 0, "head": HeadConfig("hidden")}
LONG = Rotary(scaling=LongScaling((1.0,), (1.0, 2.0), 16))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"decoder": None}, "an encoder, a decoder, or both"),
        ({"width": 7}, "width 7"),
        ({"vocabulary": 0}, "vocabulary"),
        ({"positions": True}, "positions"),
        ({"end_token": 9}, "end_token"),
        ({"pad_token": -1}, "pad_token"),
        ({"encoder": STACK}, "start_token"),
        ({"norm_epsilon": 0.0}, "norm_epsilon"),
        ({"softcap": 0.0}, "softcap"),
        ({"clip_qkv": -1.0}, "clip_qkv"),
        ({"dropout": 1.0}, "dropout"),
        ({"token_types": -1}, "token_types"),
        ({"position_offset": -2}, "position_offset"),
        ({"embedding_width": 0}, "embedding_width"),
        ({"parallel": True, "norm_placement": "post"}, "norm_placement"),
        ({"parallel": True, "encoder": STACK, "start_token": 0}, "parallel"),
        ({"shared_norm": True}, "shared_norm"),
    ],
)
def test_impossible_model_names_its_field(changes, named):
    refused(changes, named)


@pytest.mark.parametrize("field", ["position_encoding", "score", "qk_norm", "norm", "norm_placement", "activation"])
def test_unknown_choice_lists_the_known_ones(field):
    """An unknown norm became LayerNorm, an unknown score the dot product, without a word."""
    refused({field: "best"}, rf"^{field} is 'best'; choose from \w+, \w+")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"score": "dot", "attention_scale": 0.5}, "attention_scale"),
        ({"score": "additive", "scale_by_layer": True}, "scale_by_layer"),
        ({"attention_scale": 0.0}, "attention_scale"),
        ({"position_encoding": "relative_keys", "relative_distance": 0}, "relative_distance"),
        ({"position_encoding": "relative_keys", "score": "additive"}, "relative_keys"),
        ({"position_encoding": "t5", "t5_buckets": 2}, "t5_buckets"),
        ({"position_encoding": "t5", "t5_max_distance": 16}, "t5_max_distance"),
        ({"position_encoding": "rotary", "rotary": Rotary(width=4)}, "rotary positions turn 4"),
        ({"position_encoding": "rotary", "rotary": Rotary(scaling=LinearScaling(0.0))}, "scaling.factor"),
        ({"position_encoding": "rotary", "rotary": LONG}, "long_factors has 2 factors; 1 pairs"),
    ],
)
def test_score_or_position_that_means_nothing_names_its_field(changes, named):
    refused(changes, named)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layers": 0}, "decoder.layers"),
        ({"heads": 0}, "decoder.heads"),
        ({"feedforward_width": 2.5}, "decoder.feedforward_width"),
        ({"head_width": 0}, "decoder.head_width"),
        ({"key_heads": 0}, "decoder.key_heads"),
        ({"key_heads": 2}, "2 key heads"),
        ({"patterns": (Pattern(),) * 3}, "3 patterns for 2 layers"),
        ({"experts": Experts(2)}, "feedforward_bias"),
    ],
)
def test_impossible_stack_names_its_field(changes, named):
    refused({"decoder": replace(STACK, **changes)}, named)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"window": 0}, "pattern.window"),
        ({"stride": 0}, "pattern.stride"),
        ({"global_tokens": -1}, "pattern.global_tokens"),
        ({"random_blocks": -1}, "pattern.random_blocks"),
        ({"prefix": -1}, "pattern.prefix"),
        ({"block": 0}, "pattern.block"),
        ({"block": 2}, "pattern.block"),
    ],
)
def test_impossible_pattern_names_its_field(changes, named):
    with pytest.raises(ValueError, match=named):
        Pattern(**changes)


def test_prefix_is_for_decoders():
    refused({"decoder": None, "encoder": replace(STACK, patterns=(Pattern(prefix=2),))}, "pattern.prefix")


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (HeadConfig("words"), "head.output"),
        (HeadConfig("classes"), "head.classes"),
        (HeadConfig("token_classes", 0), "head.classes"),
        (HeadConfig(transform_activation="best"), "head.transform_activation"),
        (HeadConfig(softcap=0.0), "head.softcap"),
        (HeadConfig(distilled=True), "head.distilled"),
        (HeadConfig("hidden", transform=True), "head.transform "),
        (HeadConfig("hidden", bias=True), "head.bias"),
    ],
)
def test_impossible_head_names_its_field(head, named):
    refused({"head": head}, named)


def test_tied_head_needs_states_of_the_tokens_width():
    refused({"embedding_width": 4}, "head.transform")
    ModelConfig(**(MODEL | {"embedding_width": 4, "head": HeadConfig(transform=True)}))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"encoder": None, "decoder": STACK}, "reads images is an encoder"),
        ({"head": HeadConfig()}, "head.output"),
        ({"head": HeadConfig("classes", 3, distilled=True)}, "extra_tokens"),
        ({"position_encoding": "rotary"}, "position_encoding"),
        ({"embedding_norm": True}, "embedding_norm"),
        ({"token_types": 2}, "token_types"),
    ],
)
def test_impossible_reader_of_images_names_its_field(changes, named):
    ModelConfig(**(MODEL | VISION))
    refused(VISION | changes, named)


@pytest.mark.parametrize(
    ("image", "named"), [((8, 0, 4, 4), "image.width"), ((8, 8, 4, 9), "4 × 9"), ((8, 8, 4, 4, 3, -1), "extra_tokens")]
)
def test_impossible_image_names_its_field(image, named):
    with pytest.raises(ValueError, match=named):
        ImageConfig(*image)


def refused(changes, named):
    with pytest.raises(ValueError, match=named):
        ModelConfig(**(MODEL | changes))
